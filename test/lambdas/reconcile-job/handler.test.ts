/** Reconciling jobs without news: no event reaches anything here. */
import { DescribeModelCommand } from '@aws-sdk/client-sagemaker';
import { handler as completeJob } from '../../../lambdas/complete-job/handler.ts';
import { handler } from '../../../lambdas/reconcile-job/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { sagemaker } from '../../../lib/aws/clients.ts';
import { finishJob, markReported, putJob } from '../../../lib/aws/table.ts';
import type { JobRecord } from '../../../lib/core/jobs/records.ts';
import { type JobIdentity, jobName as nameOf } from '../../../lib/core/names.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench } from '../bench.ts';
import { JOB_PREFIX, jobEnd, jobRuns, jobStatus, jobsOfStage } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);
beforeEach(() => bench.control('serve', {}));

const start = (runId: string, stage: JobStage) => startJob({ runId, stage, taskToken: 'nobody waits' });
const jobs = (runId: string, stage: JobStage) => jobsOfStage(bench.context, runId, stage);
const first = (run: string, stage: JobStage = 'teach'): JobIdentity => ({ run, stage, attempt: 1 });

/** A run whose teacher's training has ended, without any news of it. */
async function taught(subject: string, behaviour: object = {}) {
  const runId = await bench.plan(subject);
  const jobName = nameOf(first(runId), JOB_PREFIX);
  bench.control(jobName, behaviour);
  await start(runId, 'teach');
  await jobEnd(jobName);
  return { runId, jobName };
}

test('a stage that was never started is not over', async () => {
  const runId = await bench.plan('fresh');
  expect(await handler({ runId, stage: 'teach' })).toEqual({ over: false });
});

test('a job that runs is still waited for', async () => {
  const runId = await bench.plan('running');
  bench.control(nameOf(first(runId), JOB_PREFIX), { hang: true });
  const { jobName } = await start(runId, 'teach');
  await jobRuns(jobName);
  expect(await handler({ runId, stage: 'teach' })).toEqual({ over: false });
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'WAITING', reported: false }]);
});

test('a job that was recorded but never created is left for start-job to create', async () => {
  const runId = await bench.plan('uncreated');
  bench.gate.refuseNext('CreateTrainingJob', {
    name: 'ResourceLimitExceeded',
    message: "The account-level service limit 'ml.m5.large for training job usage' is 1 Instances",
  });
  await expect(start(runId, 'teach')).rejects.toMatchObject({ name: 'QuotaBusy' });
  expect(await handler({ runId, stage: 'teach' })).toEqual({ over: false });
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'WAITING' }]);
});

test('a success that no event reported is reported here', async () => {
  const { runId, jobName } = await taught('silent');
  expect(await handler({ runId, stage: 'teach' })).toEqual({
    over: true,
    output: { jobName, seconds: expect.any(Number) },
  });
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'SUCCEEDED', reported: true }]);
  // The event comes after all.
  expect(await completeJob(await bench.lastEvent(jobName))).toEqual({ answered: false });
});

test('a dropped event costs a heartbeat, not the run', async () => {
  const runId = await bench.plan('dropped');
  const arn = await bench.walk(runId, 'teach');
  await jobEnd(nameOf(first(runId), JOB_PREFIX));
  await bench.states.clock.advance(61);
  expect((await bench.states.ended(arn)).error).toBe('States.Timeout');
  expect(await handler({ runId, stage: 'teach' })).toMatchObject({ over: true });
});

test('a failure that no event reported is thrown under its own name', async () => {
  const { runId } = await taught('broken', { failure: 'OutOfMemory: 24 GiB were not enough' });
  await expect(handler({ runId, stage: 'teach' })).rejects.toMatchObject({
    name: 'OutOfMemory',
    message: expect.stringMatching(/24 GiB were not enough.*What to do:.*\(job .*-teach-a1\)/),
  });
  expect(await jobs(runId, 'teach')).toMatchObject([
    { state: 'FAILED', reported: true, error: 'OutOfMemory' },
  ]);
});

test('a failure that complete-job could not report is thrown here, once', async () => {
  const { runId, jobName } = await taught('unheard', { failure: 'OutOfMemory: 24 GiB were not enough' });
  expect(await completeJob(await bench.lastEvent(jobName))).toEqual({ answered: false });
  await expect(handler({ runId, stage: 'teach' })).rejects.toMatchObject({ name: 'OutOfMemory' });
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'FAILED', reported: true }]);
  // Now it is history, and what follows is a next attempt.
  expect(await handler({ runId, stage: 'teach' })).toEqual({ over: false });
  expect((await start(runId, 'teach')).jobName).toMatch(/-a2$/);
});

test('a success that complete-job could not report is reported here', async () => {
  const { runId, jobName } = await taught('unheard-success');
  expect(await completeJob(await bench.lastEvent(jobName))).toEqual({ answered: false });
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'SUCCEEDED', reported: false }]);
  expect(await handler({ runId, stage: 'teach' })).toMatchObject({ over: true, output: { jobName } });
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'SUCCEEDED', reported: true }]);
});

test('a stage that is done stays done, as often as a resumed run asks', async () => {
  const runId = await bench.plan('resumed');
  const jobName = await bench.finish(runId, 'teach');
  const again = await handler({ runId, stage: 'teach' });
  expect(again).toMatchObject({ over: true, output: { jobName } });
  expect(await handler({ runId, stage: 'teach' })).toEqual(again);
});

describe('a transform', () => {
  let taughtRun: string;
  beforeAll(async () => {
    taughtRun = await bench.plan('drawing');
    await bench.finish(taughtRun, 'teach');
  }, 60_000);

  /** The record again, as if the attempt had been stored differently. */
  async function rewrite(job: JobRecord | undefined, facts: Partial<JobRecord>): Promise<void> {
    if (job === undefined) throw new Error('no job');
    const { pk, sk, ...rest } = job;
    const identity = { run: job.runId, stage: job.stage, attempt: job.attempt };
    await bench.forget(pk, sk);
    await putJob(bench.context, identity, { ...rest, ...facts });
  }

  test('that waited for quota longer than it may run is not overdue', async () => {
    bench.control('serve', { hang: true });
    const { jobName } = await start(taughtRun, 'synthesize');
    await jobRuns(jobName);
    const [job] = await jobs(taughtRun, 'synthesize');
    await rewrite(job, { createdAt: new Date(Date.now() - 6 * 3_600_000).toISOString() });
    expect(await handler({ runId: taughtRun, stage: 'synthesize' })).toEqual({ over: false });
    expect(await jobStatus(jobName)).toBe('InProgress');
  });

  test('that is billed for longer than it may run is stopped, and its model is deleted', async () => {
    const [job] = await jobs(taughtRun, 'synthesize');
    await rewrite(job, { maxRuntimeSeconds: 0 });
    await expect(handler({ runId: taughtRun, stage: 'synthesize' })).rejects.toMatchObject({
      name: 'StageTimedOut',
      message: expect.stringMatching(/did not end within 0 seconds, so it was stopped.*What to do:/),
    });
    await jobEnd(job?.jobName ?? '');
    expect(await jobStatus(job?.jobName ?? '')).toBe('Stopped');
    expect(await jobs(taughtRun, 'synthesize')).toMatchObject([
      { state: 'FAILED', reported: true, error: 'StageTimedOut' },
    ]);
    await expect(
      sagemaker().send(new DescribeModelCommand({ ModelName: job?.jobName })),
    ).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('without some outputs is ChunksMissing, which another attempt fixes', async () => {
    const runId = await bench.plan('gappy');
    await bench.finish(runId, 'teach');
    const { jobName } = await start(runId, 'sample-teacher');
    await jobEnd(jobName);
    await bench.delete(`runs/${runId}/pictures/sample-teacher/a1/chunk-0001.json.out`);
    await expect(handler({ runId, stage: 'sample-teacher' })).rejects.toMatchObject({
      name: 'ChunksMissing',
    });
    expect(await bench.finish(runId, 'sample-teacher')).toMatch(/-sample-teacher-a2$/);
    expect(await handler({ runId, stage: 'sample-teacher' })).toMatchObject({ over: true });
  });
});

test('a training is never overdue: SageMaker ends it by its own limit', async () => {
  const runId = await bench.plan('spot');
  bench.control(nameOf(first(runId), JOB_PREFIX), { hang: true });
  const { jobName } = await start(runId, 'teach');
  await jobRuns(jobName);
  const [job] = await jobs(runId, 'teach');
  if (job === undefined) throw new Error('no job');
  const { pk, sk, ...rest } = job;
  await bench.forget(pk, sk);
  await putJob(bench.context, first(runId), {
    ...rest,
    maxRuntimeSeconds: 0,
    createdAt: '2026-01-01T00:00:00.000Z',
  });
  expect(await handler({ runId, stage: 'teach' })).toEqual({ over: false });
});

test('a job is finished once: one that is over keeps its first outcome', async () => {
  const { runId } = await taught('once');
  expect(
    await finishJob(bench.context, first(runId), {
      state: 'FAILED',
      reported: false,
      error: 'JobStopped',
      message: 'x',
    }),
  ).toBe(true);
  await markReported(bench.context, first(runId));
  expect(await handler({ runId, stage: 'teach' })).toEqual({ over: false });
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'FAILED', error: 'JobStopped' }]);
});
