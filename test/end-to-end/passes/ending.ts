/** Runs whose request or stack is deleted while a job of theirs runs: nothing goes on. */
import {
  CloudFormationClient,
  DeleteStackCommand,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { runKey } from '../../../lib/core/jobs/records.ts';
import { keys } from '../../../lib/core/keys.ts';
import { JOB_PREFIX, jobsOf, SMALL, type TestCloud, until, untilOver, upload } from '../pipeline.ts';
import { untilStarted } from './control.ts';

const LONG = { ...SMALL.advanced, teach: { steps: 2000 } };
const SLOW = { ...SMALL.advanced, synthesize: { picturesPerChunk: 1, steps: 100 } };

/** Leaves a cloud without the stack that computes, so it comes last. */
export async function endingPass(cloud: TestCloud): Promise<void> {
  await withdrawn(cloud);
  const transforming = await running(cloud, 'transforming', SLOW, 'synthesize');
  const training = await running(cloud, 'training', LONG, 'teach');
  await expectStoppedWithStack(cloud, [training, transforming]);
}

/** Deletes the stack while a training runs. */
export async function stackDeletedDuringRun(cloud: TestCloud): Promise<void> {
  await withdrawn(cloud);
  await expectStoppedWithStack(cloud, [await running(cloud, 'training', LONG, 'teach')]);
}

/** @returns the run, a job of which runs */
async function running(
  cloud: TestCloud,
  subject: string,
  advanced: object,
  stage: 'teach' | 'synthesize',
): Promise<string> {
  await upload(cloud, subject, { ...SMALL, advanced });
  const run = await untilStarted(cloud, subject);
  const job = `${JOB_PREFIX}${run}-${stage}-a1`;
  await until(async () => (await jobsOf(cloud, run))[job] === 'InProgress' || undefined);
  return run;
}

/** A run whose subject.json is deleted. */
async function withdrawn(cloud: TestCloud): Promise<void> {
  const run = await running(cloud, 'unwanted', LONG, 'teach');
  await cloud.s3.send(new DeleteObjectCommand({ Bucket: cloud.bucket, Key: keys.request('unwanted') }));
  const over = await untilOver(cloud, 'unwanted');
  expect(over).toMatchObject({ name: run, status: 'ABORTED', error: 'Interrupted' });
  expect(over.cause).toContain('subject.json was deleted');
  await until(
    async () => Object.values(await jobsOf(cloud, run)).every((status) => status === 'Stopped') || undefined,
  );
}

async function expectStoppedWithStack(cloud: TestCloud, runs: readonly string[]): Promise<void> {
  const endpoint = cloud.local.environment.AWS_ENDPOINT_URL ?? '';
  const client = new CloudFormationClient({ ...cloud.config, endpoint });
  await client.send(new DeleteStackCommand({ StackName: 'Proxytune' }));
  const wait = { client, maxWaitTime: 120, minDelay: 1, maxDelay: 1 };
  await waitUntilStackDeleteComplete(wait, { StackName: 'Proxytune' });
  client.destroy();
  // The data has a stack of its own.
  for (const run of runs) {
    const statuses = Object.values(await jobsOf(cloud, run));
    expect([run, statuses.filter((status) => !['Completed', 'Stopped'].includes(status))]).toEqual([run, []]);
    expect([run, statuses.filter((status) => status === 'Stopped')]).toEqual([run, ['Stopped']]);
    const { pk, sk } = runKey(run);
    const Key = { pk: { S: pk }, sk: { S: sk } };
    const get = new GetItemCommand({ TableName: cloud.local.outputs.TableName, Key });
    expect((await cloud.dynamo.send(get)).Item).toMatchObject({ status: { S: 'STOPPED' } });
  }
}
