/** Bills and models of jobs that somebody ended: SageMaker bills a job only once it has stopped, when its run is over. */
import { handler as completeJob } from '../../../lambdas/complete-job/handler.ts';
import { handler as endRun } from '../../../lambdas/end-run/handler.ts';
import { handler as reconcileJob } from '../../../lambdas/reconcile-job/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { stopJob } from '../../../lib/aws/jobs.ts';
import { finishJob, listJobs, readJob, readRun, updateJob } from '../../../lib/aws/table.ts';
import { readRunView } from '../../../lib/cli/run-state.ts';
import { usdFor } from '../../../lib/core/catalogue/cost.ts';
import { instance } from '../../../lib/core/catalogue/instances.ts';
import { jobName as nameOf } from '../../../lib/core/names.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench } from '../bench.ts';
import { JOB_PREFIX, jobEnd, jobRuns, modelIsGone, recordJob } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);
beforeEach(() => bench.control('serve', {}));

const FAILURE = { Error: 'TrainingDiverged', Cause: 'The loss is NaN. What to do: lower learningRate.' };
const record = (run: string, stage: JobStage = 'teach', attempt = 1) =>
  readJob(bench.context, { run, stage, attempt });
const usdOf = async (runId: string) => (await readRunView(bench.context, runId))?.usd;
const complete = async (jobName: string) => completeJob(await bench.lastEvent(jobName));

/** A job at work. */
async function work(runId: string, stage: JobStage = 'teach', attempt = 1): Promise<string> {
  bench.control(nameOf({ run: runId, stage, attempt }, JOB_PREFIX), { hang: true });
  bench.control('serve', { hang: true });
  // Each attempt after a failed run is made by its execution, redriven once more.
  const execution = { name: runId, begunAt: new Date().toISOString(), redrives: attempt - 1 };
  const { jobName } = await startJob({ runId, stage, taskToken: 'nobody waits', execution });
  await jobRuns(jobName);
  return jobName;
}

/** An attempt that was paid for. */
async function remember(runId: string, attempt: number): Promise<void> {
  const identity = { run: runId, stage: 'teach', attempt } as const;
  await recordJob(bench.context, identity);
  const end = { state: 'FAILED', reported: true, error: 'ServiceFault', seconds: 5, usd: 0.01 } as const;
  await finishJob(bench.context, identity, end);
}

/** Ends the run as its machine does. */
const fail = (runId: string) =>
  expect(endRun({ runId, error: FAILURE })).rejects.toMatchObject({ name: FAILURE.Error });

test('the job of a run that failed is billed when it has stopped, without another answer', async () => {
  const runId = await bench.plan('failed');
  const jobName = await work(runId);
  await fail(runId);
  expect(await record(runId)).toMatchObject({ state: 'FAILED', reported: true, error: 'JobStopped' });
  expect(await record(runId)).not.toHaveProperty('seconds');
  expect(await bench.notices(runId)).toMatchObject([
    { text: expect.stringContaining('Compute: 0.00 USD at list prices, without the jobs that were stopped') },
  ]);
  await jobEnd(jobName);
  expect(await complete(jobName)).toEqual({ answered: false });
  const job = await record(runId);
  expect(job?.seconds).toBeGreaterThan(0);
  // A second or two of a cheap instance may be less than the hundredth of a cent that is recorded.
  expect(job?.usd).toBe(usdFor(job?.seconds ?? 0, instance(job?.instanceType ?? '')));
  // The reason that was recorded first stays.
  expect(job).toMatchObject({ state: 'FAILED', reported: true, error: 'JobStopped' });
  expect(await usdOf(runId)).toBe(job?.usd);
  expect(await readRun(bench.context, runId)).toMatchObject({ status: 'FAILED', usd: job?.usd });
  // Once is enough.
  const looks = bench.gate.called('DescribeTrainingJob').length;
  await complete(jobName);
  expect(bench.gate.called('DescribeTrainingJob')).toHaveLength(looks);
});

test('an overdue transform that was stopped is billed when it has stopped', async () => {
  const runId = await bench.plan('overdue');
  await bench.finish(runId, 'teach');
  const jobName = await work(runId, 'synthesize');
  await updateJob(bench.context, { run: runId, stage: 'synthesize', attempt: 1 }, { maxRuntimeSeconds: 0 });
  await expect(reconcileJob({ runId, stage: 'synthesize' })).rejects.toMatchObject({ name: 'StageTimedOut' });
  await jobEnd(jobName);
  await complete(jobName);
  const job = await record(runId, 'synthesize');
  expect(job).toMatchObject({ error: 'StageTimedOut', seconds: expect.any(Number), modelDeleted: true });
  expect(job?.seconds).toBeGreaterThan(0);
});

test('a job that waited for quota when its run ended cost nothing, and says so', async () => {
  const runId = await bench.plan('waiting');
  bench.gate.refuseNext('CreateTrainingJob', {
    name: 'ResourceLimitExceeded',
    message: `The account-level service limit 'ml.m5.large for training job usage' is 1 Instances, with current utilization of 1 Instances and a request delta of 1 Instances.`,
  });
  await expect(startJob({ runId, stage: 'teach', taskToken: 'x' })).rejects.toMatchObject({
    name: 'QuotaBusy',
  });
  await fail(runId);
  expect(await record(runId)).toMatchObject({ state: 'FAILED', error: 'JobStopped', seconds: 0, usd: 0 });
});

test('a job that SageMaker refused cost nothing, and says so', async () => {
  const runId = await bench.plan('refused');
  bench.gate.refuseNext('CreateTrainingJob', { name: 'ValidationException', message: 'Malformed' });
  await expect(startJob({ runId, stage: 'teach', taskToken: 'x' })).rejects.toMatchObject({
    name: 'JobRefused',
  });
  expect(await record(runId)).toMatchObject({ state: 'FAILED', seconds: 0, usd: 0 });
});

test('a job that was created while its run ended is billed, though zero was recorded for it', async () => {
  const runId = await bench.plan('raced');
  const jobName = await work(runId);
  const identity = { run: runId, stage: 'teach', attempt: 1 } as const;
  const end = {
    state: 'FAILED',
    reported: true,
    error: 'JobStopped',
    message: 'x',
    seconds: 0,
    usd: 0,
  } as const;
  await finishJob(bench.context, identity, end);
  await stopJob(bench.context, { kind: 'training', jobName });
  await jobEnd(jobName);
  await complete(jobName);
  expect((await record(runId))?.seconds).toBeGreaterThan(0);
});

test('stopped jobs count as paid attempts, even when the events of their ends were lost', async () => {
  const runId = await bench.plan('often');
  for (let attempt = 1; attempt <= 4; attempt += 1) await remember(runId, attempt);
  for (let attempt = 5; attempt <= 6; attempt += 1) {
    const jobName = await work(runId, 'teach', attempt);
    await fail(runId);
    await jobEnd(jobName);
  }
  await expect(startJob({ runId, stage: 'teach', taskToken: 'x' })).rejects.toMatchObject({
    name: 'JobFailed',
    message: expect.stringContaining('failed 6 times'),
  });
  // start-job has looked them up itself.
  const jobs = await listJobs(bench.context, runId);
  expect(jobs.map(({ seconds = 0 }) => seconds > 0)).toEqual(Array(6).fill(true));
}, 60_000);

describe('the model of a transform', () => {
  const NOT_NOW = { name: 'AccessDeniedException', message: 'not now' };

  async function drawn(subject: string): Promise<{ runId: string; jobName: string }> {
    const runId = await bench.plan(subject);
    await bench.finish(runId, 'teach');
    const { jobName } = await startJob({ runId, stage: 'synthesize', taskToken: 'nobody waits' });
    await jobEnd(jobName);
    return { runId, jobName };
  }

  test('that could not be deleted after the answer is deleted by the next event', async () => {
    const { runId, jobName } = await drawn('event');
    await updateJob(bench.context, { run: runId, stage: 'synthesize', attempt: 1 }, { reported: false });
    bench.gate.refuseNext('DeleteModel', NOT_NOW);
    await expect(complete(jobName)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    // As after an answer that the machine took.
    await updateJob(bench.context, { run: runId, stage: 'synthesize', attempt: 1 }, { reported: true });
    expect(await modelIsGone(jobName)).toBe(false);
    await complete(jobName);
    expect(await modelIsGone(jobName)).toBe(true);
    // Deleted once.
    const deletions = bench.gate.called('DeleteModel').length;
    await complete(jobName);
    expect(bench.gate.called('DeleteModel')).toHaveLength(deletions);
  });

  test('that cannot be deleted does not fail a run whose job succeeded, and is deleted at its end', async () => {
    const { runId, jobName } = await drawn('lookup');
    bench.gate.refuseNext('DeleteModel', NOT_NOW);
    expect(await reconcileJob({ runId, stage: 'synthesize' })).toMatchObject({ over: true });
    expect(await modelIsGone(jobName)).toBe(false);
    await fail(runId);
    expect(await modelIsGone(jobName)).toBe(true);
  });
});
