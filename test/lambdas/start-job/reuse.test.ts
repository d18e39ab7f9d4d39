/** A heartbeat calls start-job again for the job that is at work: it is looked up, and nothing is created again. */
import { DescribeModelCommand } from '@aws-sdk/client-sagemaker';
import { handler as reconcileJob } from '../../../lambdas/reconcile-job/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { sagemaker } from '../../../lib/aws/clients.ts';
import { stopJob } from '../../../lib/aws/jobs.ts';
import { copyObject } from '../../../lib/aws/s3.ts';
import { finishRun, listJobs, readJob, updateJob } from '../../../lib/aws/table.ts';
import { keys } from '../../../lib/core/keys.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench, BUCKET } from '../bench.ts';
import { jobEnd, jobRuns, jobStatus } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  // SageMaker does not document whether it checks quotas or names first; names last is the harder case.
  bench = await Bench.start({
    limitsFirst: true,
    quotas: { 'ml.m5.large for training job usage': 1, 'ml.m5.large for transform job usage': 1 },
  });
}, 90_000);
afterAll(() => bench?.close(), 30_000);
beforeEach(() => bench.control('serve', {}));

const start = (runId: string, stage: JobStage, taskToken = 'token-1') =>
  startJob({ runId, stage, taskToken });
const creations = () => bench.gate.calls.filter(({ operation }) => operation.startsWith('Create')).length;

/** As at a heartbeat, which the machine answers with a look-up and another call. */
async function heartbeat(runId: string, stage: JobStage, taskToken: string) {
  expect(await reconcileJob({ runId, stage })).toEqual({ over: false });
  return start(runId, stage, taskToken);
}

test('a training at work goes on at each heartbeat in an account that may have one instance', async () => {
  const runId = await bench.plan('alone');
  bench.control(`proxytune-${runId}-teach-a1`, { hang: true });
  const { jobName } = await start(runId, 'teach');
  await jobRuns(jobName);
  const before = creations();
  for (const token of ['token-2', 'token-3'])
    expect(await heartbeat(runId, 'teach', token)).toEqual({ jobName });
  expect(creations()).toBe(before);
  expect(await listJobs(bench.context, runId)).toMatchObject([{ state: 'WAITING', token: 'token-3' }]);
  await stopJob(bench.context, { kind: 'training', jobName });
  await jobEnd(jobName);
});

test('a transform at work keeps its model and its manifest at each heartbeat', async () => {
  const runId = await bench.plan('drawing');
  await bench.finish(runId, 'teach');
  bench.control('serve', { hang: true });
  const { jobName } = await start(runId, 'synthesize');
  await jobRuns(jobName);
  const before = creations();
  await bench.delete(keys.manifest(runId, jobName));
  expect(await heartbeat(runId, 'synthesize', 'token-2')).toEqual({ jobName });
  expect(creations()).toBe(before);
  expect(await bench.exists(keys.manifest(runId, jobName))).toBe(false);
  await stopJob(bench.context, { kind: 'transform', jobName });
  await jobEnd(jobName);
});

test('a transform that waits for its quota creates its model once', async () => {
  const runId = await bench.plan('queued');
  await bench.finish(runId, 'teach');
  const models = () => bench.gate.called('CreateModel').length;
  const before = models();
  const other = await bench.plan('busy');
  await bench.finish(other, 'teach');
  bench.control('serve', { hang: true });
  const { jobName: busy } = await start(other, 'synthesize');
  await jobRuns(busy);
  for (const token of ['token-1', 'token-2', 'token-3'])
    await expect(start(runId, 'synthesize', token)).rejects.toMatchObject({ name: 'QuotaBusy' });
  expect(models()).toBe(before + 2);
  await stopJob(bench.context, { kind: 'transform', jobName: busy });
  await jobEnd(busy);
  bench.control('serve', {});
  const { jobName } = await start(runId, 'synthesize', 'token-4');
  expect(models()).toBe(before + 2);
  await jobEnd(jobName);
});

test('a job that is over, without any news of it, is not waited for', async () => {
  const runId = await bench.plan('unnoticed');
  const { jobName } = await start(runId, 'teach');
  await jobEnd(jobName);
  await expect(start(runId, 'teach', 'token-2')).rejects.toMatchObject({ name: 'JobOver' });
  expect(await reconcileJob({ runId, stage: 'teach' })).toMatchObject({ over: true, output: { jobName } });
});

test('a job that is created for a run that has ended meanwhile is stopped', async () => {
  const runId = await bench.plan('late');
  bench.control(`proxytune-${runId}-teach-a1`, { hang: true });
  // end-run has listed the jobs before this one was recorded.
  const unwatch = bench.gate.before('CreateTrainingJob', async () => {
    await finishRun(bench.context, runId, { status: 'STOPPED', endedAt: new Date().toISOString() });
  });
  const { jobName } = await start(runId, 'teach');
  unwatch();
  await jobEnd(jobName);
  expect(await jobStatus(jobName)).toBe('Stopped');
  expect(await readJob(bench.context, { run: runId, stage: 'teach', attempt: 1 })).toMatchObject({
    state: 'FAILED',
    reported: true,
    error: 'JobStopped',
  });
});

describe('the adapter', () => {
  test('is where SageMaker says that it is', async () => {
    const runId = await bench.plan('placed');
    const made = await bench.finish(runId, 'teach');
    const identity = { run: runId, stage: 'teach', attempt: 1 } as const;
    const uri = `s3://${BUCKET}/${keys.jobs(runId)}${made}/output/model.tar.gz`;
    expect(await readJob(bench.context, identity)).toMatchObject({ artifact: uri });
    const elsewhere = `${keys.jobs(runId)}${made}/elsewhere.tar.gz`;
    await copyObject(bench.context, uri.replace(`s3://${BUCKET}/`, ''), elsewhere, 'application/gzip');
    await updateJob(bench.context, identity, { artifact: `s3://${BUCKET}/${elsewhere}` });
    const { jobName } = await start(runId, 'synthesize');
    const model = await sagemaker().send(new DescribeModelCommand({ ModelName: jobName }));
    expect(model.PrimaryContainer?.ModelDataUrl).toBe(`s3://${BUCKET}/${elsewhere}`);
    await jobEnd(jobName);
  });

  test.each([
    ['in another bucket', 's3://somebody-elses/runs/x/jobs/j/model.tar.gz'],
    ['of another run', `s3://${BUCKET}/runs/somebody-0a1b2c3d/jobs/j/model.tar.gz`],
  ])('%s is refused', async (_where, artifact) => {
    const runId = await bench.plan('foreign');
    await bench.finish(runId, 'teach');
    await updateJob(bench.context, { run: runId, stage: 'teach', attempt: 1 }, { artifact });
    await expect(start(runId, 'synthesize')).rejects.toMatchObject({
      name: 'JobRefused',
      message: expect.stringContaining(`is not below s3://${BUCKET}/${keys.jobs(runId)}`),
    });
  });
});
