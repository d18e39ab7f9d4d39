/** Deletes everything in a bucket, so that the bucket itself can be deleted. */
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  NoSuchBucket,
  NoSuchUpload,
} from '@aws-sdk/client-s3';
import type { BucketContext } from './s3.ts';

/**
 * Deletes all objects with their old versions, the markers of deleted objects, and unfinished uploads.
 *
 * @param deadline - in milliseconds since the epoch
 * @throws Error when something is left at the deadline, or S3 keeps an object; a second call continues
 */
export async function emptyBucket(context: BucketContext, deadline: number): Promise<void> {
  try {
    while (await deletePage(context)) requireTime(context, deadline);
    while (await abortPage(context)) requireTime(context, deadline);
  } catch (error) {
    if (!(error instanceof NoSuchBucket)) throw error;
  }
}

function requireTime({ bucket }: BucketContext, deadline: number): void {
  if (Date.now() < deadline) return;
  throw new Error(`the bucket ${bucket} is not empty yet; delete the stack again to continue`);
}

/** Deletes the first thousand versions. @returns false if there is none */
async function deletePage({ s3, bucket }: BucketContext): Promise<boolean> {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket: bucket }),
  );
  const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
  if (Objects.length === 0) return false;
  const { Errors: [failed] = [] } = await s3.send(
    new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
  );
  if (failed === undefined) return true;
  throw new Error(`S3 did not delete ${failed.Key}: ${failed.Code} ${failed.Message}`);
}

/** Aborts the first thousand unfinished uploads. @returns false if there is none */
async function abortPage({ s3, bucket: Bucket }: BucketContext): Promise<boolean> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  for (const { Key, UploadId } of Uploads) {
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch((error: Error) => {
      if (!(error instanceof NoSuchUpload)) throw error;
    });
  }
  return Uploads.length > 0;
}
