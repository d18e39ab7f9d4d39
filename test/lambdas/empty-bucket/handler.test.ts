/** Emptying a bucket against the emulator, and what must not empty it. A deleted stack is in `test/local/deploy`. */
import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { handler } from '../../../lambdas/empty-bucket/handler.ts';
import { cloudformation, s3 } from '../../../lib/aws/clients.ts';
import { emptyBucket } from '../../../lib/aws/empty-bucket.ts';
import { invoke, useEmulator } from '../custom-resources.ts';

useEmulator();

/** More than S3 lists at once. */
const OBJECTS = 1010;

/** Makes a bucket with old versions, a deleted object and an unfinished upload. */
async function fill(Bucket: string, objects: number): Promise<void> {
  await s3().send(new CreateBucketCommand({ Bucket }));
  await s3().send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const put = (Key: string) => s3().send(new PutObjectCommand({ Bucket, Key, Body: 'text' }));
  await Promise.all(Array.from({ length: objects }, (_, at) => put(`runs/${at}`)));
  await put('subjects/a+b/photos/ä 1.jpg');
  await put('subjects/a+b/photos/ä 1.jpg');
  await s3().send(new DeleteObjectCommand({ Bucket, Key: 'runs/0' }));
  await s3().send(new CreateMultipartUploadCommand({ Bucket, Key: 'models/half' }));
}

/** Counts what keeps a bucket from being deleted, or is billed. */
async function left(Bucket: string): Promise<number> {
  const { Versions = [], DeleteMarkers = [] } = await s3().send(new ListObjectVersionsCommand({ Bucket }));
  const { Uploads = [] } = await s3().send(new ListMultipartUploadsCommand({ Bucket }));
  return Versions.length + DeleteMarkers.length + Uploads.length;
}

test('old versions, deleted objects and unfinished uploads go too, however many there are', async () => {
  await fill('full', OBJECTS);
  await emptyBucket({ s3: s3(), bucket: 'full' }, Date.now() + 60_000);
  expect(await left('full')).toBe(0);
}, 60_000);

test('what is not done in time is named, and continued', async () => {
  await fill('slow', 3);
  const slow = { s3: s3(), bucket: 'slow' };
  await expect(emptyBucket(slow, 0)).rejects.toThrow(
    'the bucket slow is not empty yet; delete the stack again',
  );
  await emptyBucket(slow, Date.now() + 60_000);
  expect(await left('slow')).toBe(0);
});

test('a bucket that is gone is empty', async () => {
  await emptyBucket({ s3: s3(), bucket: 'gone' }, Date.now() + 60_000);
});

test('nothing is deleted while the stack stays: at creation, at an update, and without the setting', async () => {
  await fill('kept', 3);
  const before = await left('kept');
  // The stack of `invoke`.
  const TemplateBody = JSON.stringify({ Resources: { Topic: { Type: 'AWS::SNS::Topic' } } });
  await cloudformation().send(new CreateStackCommand({ StackName: 'S', TemplateBody }));
  for (const type of ['Create', 'Update', 'Delete'] as const) {
    const answer = await invoke(handler, type, { BucketName: 'kept' });
    expect([type, answer.Status]).toEqual([type, 'SUCCESS']);
  }
  expect(await left('kept')).toBe(before);
});
