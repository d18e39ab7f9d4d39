/** Runs that fail: by their containers, requests, photos and time limits, with and without the events of their jobs. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { chunkName, keys } from '../../../lib/core/keys.ts';
import { ALL_TRANSFORM } from '../../../lib/local/service-quotas/quotas.ts';
import { JOB_PREFIX, jobsOf, SMALL, type TestCloud, until, untilOver, upload } from '../pipeline.ts';
import { corruptWeights } from '../weights.ts';
import { recordOf, untilStarted, untilTimedOut } from './control.ts';

/** Long enough to be found overdue; SageMaker itself ends a training that is. */
const SLOW = { picturesPerChunk: 1, steps: 100, instances: 1 };

export async function failurePass(cloud: TestCloud): Promise<void> {
  const restore = await corruptWeights(cloud, true);
  const hear = cloud.local.faults.dropEvents(({ Resources: [arn] }) => arn?.includes('-silent-') ?? false);
  await upload(cloud, 'crash', { ...SMALL, notify: 'owner@example.com' });
  await upload(cloud, 'silent', SMALL);
  for (const subject of ['crash', 'silent'])
    expect(await untilOver(cloud, subject)).toMatchObject({ error: 'ModelMismatch' });
  await restore();
  hear();

  await upload(cloud, 'expensive', { ...SMALL, maxUsd: 0.0001 });
  expect(await untilOver(cloud, 'expensive')).toMatchObject({ error: 'OverBudget' });
  await failsWithoutVersion(cloud);
  const Key = 'subjects/blank/photos/blank.jpg';
  await cloud.s3.send(new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: 'no image' }));
  const request = { Bucket: cloud.bucket, Key: 'subjects/blank/subject.json', Body: JSON.stringify(SMALL) };
  await cloud.s3.send(new PutObjectCommand(request));
  expect(await untilOver(cloud, 'blank')).toMatchObject({ error: 'PhotosRejected' });

  await failsInTransform(cloud, 'torn');
  await failsForWantOfTime(cloud);
}

/**
 * A run whose transform is found overdue, and another one whose transform waits for the only instance meanwhile, with the
 * model that its first try created; nobody hears of its end.
 */
async function failsForWantOfTime(cloud: TestCloud): Promise<void> {
  const { faults } = cloud.local;
  faults.setQuotas({ [ALL_TRANSFORM.name]: 1 });
  const hear = faults.dropEvents(({ Resources: [arn] }) => /-quiet-.*-synthesize-/.test(arn ?? ''));
  await upload(cloud, 'slow', { ...SMALL, proxies: 60, advanced: { ...SMALL.advanced, synthesize: SLOW } });
  const slow = await untilStarted(cloud, 'slow');
  const job = `${JOB_PREFIX}${slow}-synthesize-a1`;
  await until(async () => (await jobsOf(cloud, slow))[job] === 'InProgress' || undefined);
  const timesOut = async () => {
    const quiet = await untilStarted(cloud, 'quiet');
    await until(() => recordOf(cloud, quiet, 'synthesize'));
    expect(await untilTimedOut(cloud, 'slow', 'synthesize')).toMatchObject({ error: 'StageTimedOut' });
  };
  await Promise.all([failsInTransform(cloud, 'quiet'), timesOut()]);
  hear();
}

/** A run with a chunk that cannot be read: its container writes the reason, because SageMaker reports none. */
async function failsInTransform(cloud: TestCloud, subject: string): Promise<void> {
  await upload(cloud, subject, SMALL);
  const run = await untilStarted(cloud, subject);
  await until(async () => `${JOB_PREFIX}${run}-teach-a1` in (await jobsOf(cloud, run)) || undefined);
  const Key = `${keys.chunks(run, 'synthesize')}${chunkName(0)}`;
  await cloud.s3.send(new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: 'no chunk' }));
  expect(await untilOver(cloud, subject)).toMatchObject({ error: 'HyperparameterInvalid' });
}

/** A run of an upload that has no version, as in a bucket without versions: its etag takes the version's place. */
async function failsWithoutVersion(cloud: TestCloud): Promise<void> {
  const name = 'expensive-00000000';
  const key = 'subjects/expensive/subject.json';
  const input = { runId: name, bucket: cloud.bucket, subject: 'expensive', key, version: '0'.repeat(32) };
  const { executionArn } = await cloud.sfn.send(
    new StartExecutionCommand({ stateMachineArn: cloud.machine, name, input: JSON.stringify(input) }),
  );
  await until(async () => {
    const { status, error } = await cloud.sfn.send(new DescribeExecutionCommand({ executionArn }));
    if (status === 'RUNNING') return undefined;
    expect(error).toBe('OverBudget');
    return status;
  });
}
