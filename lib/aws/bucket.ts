/** What more than one command does in a bucket. */
import { DeleteObjectsCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';

/** S3 deletes at most a thousand objects in one call. */
const MOST_AT_ONCE = 1000;

/** Removes what lies below a prefix under other keys than the wanted ones. */
export async function removeOthers(
  { s3, bucket }: { readonly s3: S3Client; readonly bucket: string },
  prefix: string,
  wanted: ReadonlySet<string>,
): Promise<void> {
  const stale: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key = '' } of page.Contents ?? []) if (!wanted.has(Key)) stale.push(Key);
  }
  while (stale.length > 0) {
    const Objects = stale.splice(0, MOST_AT_ONCE).map((Key) => ({ Key }));
    await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }));
  }
}
