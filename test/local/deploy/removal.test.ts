/** The app's own stacks in the local cloud, deployed with `removeData`: the bucket is deleted with them, and only then. */
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { type AppCloud, openAppCloud } from './app-cloud.ts';

let cloud: AppCloud;

beforeAll(async () => {
  cloud = await openAppCloud();
}, 60_000);

afterAll(() => cloud?.close());

/** Counts the versions of all objects, and the markers of deleted ones. */
async function versionsIn(Bucket: string): Promise<number> {
  const { Versions = [], DeleteMarkers = [] } = await cloud.s3.send(
    new ListObjectVersionsCommand({ Bucket }),
  );
  return Versions.length + DeleteMarkers.length;
}

it('keeps everything when the setting is taken back, and deletes everything with the stack', async () => {
  const { BucketName: Bucket = '' } = await cloud.deploy({ removeData: 'true' });
  for (const Body of ['first', 'second'])
    await cloud.s3.send(new PutObjectCommand({ Bucket, Key: 'runs/a/report/index.html', Body }));
  await cloud.s3.send(new PutObjectCommand({ Bucket, Key: 'runs/b/plan.json', Body: '{}' }));
  await cloud.s3.send(new DeleteObjectCommand({ Bucket, Key: 'runs/b/plan.json' }));
  await cloud.s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'models/half' }));
  expect(await versionsIn(Bucket)).toBe(4);

  expect((await cloud.deploy({})).BucketName).toBe(Bucket);
  expect(await versionsIn(Bucket)).toBe(4);

  await cloud.deploy({ removeData: 'true' });
  await cloud.destroy('Proxytune', 'Proxytune-Data');
  await expect(cloud.s3.send(new HeadBucketCommand({ Bucket }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 404 },
  });
}, 180_000);
