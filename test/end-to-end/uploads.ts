/** Uploads that must start no second run, or none that is paid for. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand } from '@aws-sdk/client-sfn';
import { executionsOf, jobsOf, SMALL, type TestCloud, until, untilOver, upload } from './pipeline.ts';

/** Uploads the same photos and request again. @param finished - their run, which has succeeded */
export async function expectRepeatNamed(cloud: TestCloud, finished: string, request: object): Promise<void> {
  const subject = finished.replace(/-[0-9a-f]{8}$/, '');
  const jobs = await jobsOf(cloud, `${subject}-`);
  await upload(cloud, subject, request);
  const executionArn = await until(async () => {
    const executions = await executionsOf(cloud, subject);
    return executions.find(({ name, status }) => name !== finished && status !== 'RUNNING')?.executionArn;
  });
  const repeat = await cloud.sfn.send(new DescribeExecutionCommand({ executionArn }));
  expect(repeat).toMatchObject({
    error: 'RequestRepeated',
    cause: expect.stringContaining(`${finished}, which has succeeded: s3://`),
  });
  expect(await jobsOf(cloud, `${subject}-`)).toEqual(jobs);
}

/** Uploads an empty request, and then one with a mistaken name: one run, which names the right one. */
export async function expectMistakesAnswered(cloud: TestCloud): Promise<void> {
  const put = (Key: string, Body: string) =>
    cloud.s3.send(new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: Buffer.from(Body) }));
  await put('subjects/mistaken/subject.json', '');
  await put('subjects/mistaken/Subject.json', JSON.stringify(SMALL));
  expect(await untilOver(cloud, 'mistaken')).toMatchObject({
    error: 'RequestInvalid',
    cause: expect.stringContaining('upload it as subjects/mistaken/subject.json'),
  });
  expect(await executionsOf(cloud, 'mistaken')).toHaveLength(1);
  await uploadMisplaced(cloud, 'misplaced');
  expect(await untilOver(cloud, 'misplaced')).toMatchObject({
    error: 'PhotosRejected',
    cause: expect.stringContaining('subjects/misplaced/Photos/'),
  });
  expect(await jobsOf(cloud, 'misplaced-')).toEqual({});
}

/** Uploads a request whose photos are in `Photos/`. */
async function uploadMisplaced(cloud: TestCloud, subject: string): Promise<void> {
  const { bucket: Bucket, s3 } = cloud;
  const photo = `subjects/${subject}/Photos/1.jpg`;
  await s3.send(new PutObjectCommand({ Bucket, Key: photo, Body: 'a photo' }));
  const Key = `subjects/${subject}/subject.json`;
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: JSON.stringify(SMALL) }));
}
