/** Starting jobs in a real SageMaker service of ours, with a container of a few lines. */
import { DescribeModelCommand, DescribeTrainingJobCommand } from '@aws-sdk/client-sagemaker';
import { handler } from '../../../lambdas/start-job/handler.ts';
import { sagemaker } from '../../../lib/aws/clients.ts';
import { readJob } from '../../../lib/aws/table.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench, BUCKET, REQUEST } from '../bench.ts';
import { failAttempt, jobEnd, jobStatus, jobsOfStage, recordJob } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);
beforeEach(() => bench.control('serve', {}));

const QUOTA = (limit: number, used = limit, asked = 1) => ({
  name: 'ResourceLimitExceeded',
  message:
    `The account-level service limit 'ml.m5.large for training job usage' is ${limit} Instances, ` +
    `with current utilization of ${used} Instances and a request delta of ${asked} Instances.`,
});
const start = (runId: string, stage: JobStage, taskToken = 'token-1') => handler({ runId, stage, taskToken });
const jobs = (runId: string, stage: JobStage) => jobsOfStage(bench.context, runId, stage);
const fail = (run: string, stage: JobStage, attempt: number, facts: object = {}) =>
  failAttempt(bench.context, { run, stage, attempt }, facts);

test('the token is in the table before the job is created', async () => {
  const runId = await bench.plan('early');
  bench.gate.refuseNext('CreateTrainingJob', QUOTA(2));
  await expect(start(runId, 'teach')).rejects.toMatchObject({ name: 'QuotaBusy' });
  expect(bench.gate.called('CreateTrainingJob')).toEqual([]);
  expect(await jobs(runId, 'teach')).toMatchObject([{ token: 'token-1', state: 'WAITING', attempt: 1 }]);
});

test('class images of an earlier run are a channel, once there are some', async () => {
  const request = { ...REQUEST, advanced: { ...REQUEST.advanced, teach: { priorPictures: 3 } } };
  const channels = async (subject: string) => {
    const runId = await bench.plan(subject, request);
    bench.control(`proxytune-${runId}-teach-a1`, { hang: true });
    const { jobName } = await start(runId, 'teach');
    const job = await sagemaker().send(new DescribeTrainingJobCommand({ TrainingJobName: jobName }));
    return Object.fromEntries(
      (job.InputDataConfig ?? []).map((c) => [c.ChannelName, c.DataSource?.S3DataSource?.S3Uri]),
    );
  };
  const content = await bench.putModel('sdxl-tiny');
  const prefix = `class-images/sdxl-tiny/${content}/a-dog/64px-6-steps-guidance-3-3/`;
  expect(Object.keys(await channels('first')).sort()).toEqual(['base', 'clip', 'dino', 'references']);
  await bench.put(`${prefix}images.tar`, 'pictures');
  expect(await channels('second')).toMatchObject({ 'class-images': `s3://${BUCKET}/${prefix}` });
  // Another revision under the same id would generate others; the same one, imported again, would not.
  expect(await bench.putModel('sdxl-tiny', '{"revision": 2}')).not.toBe(content);
  expect(await channels('third')).not.toHaveProperty('class-images');
  expect(await bench.putModel('sdxl-tiny')).toBe(content);
  expect(await channels('fourth')).toHaveProperty('class-images');
});

test('a second call reuses the job and stores the new token', async () => {
  const runId = await bench.plan('twice');
  bench.control(`proxytune-${runId}-teach-a1`, { hang: true });
  const first = await start(runId, 'teach');
  expect(await start(runId, 'teach', 'token-2')).toEqual(first);
  expect(first.jobName).toBe(`proxytune-${runId}-teach-a1`);
  expect(await jobs(runId, 'teach')).toMatchObject([{ token: 'token-2', state: 'WAITING', reported: false }]);
  expect(await jobStatus(first.jobName)).toBe('InProgress');
});

test('two calls at once create one job', async () => {
  const runId = await bench.plan('racing');
  bench.control(`proxytune-${runId}-teach-a1`, { hang: true });
  const [a, b] = await Promise.all([start(runId, 'teach', 'a'), start(runId, 'teach', 'b')]);
  expect(a).toEqual(b);
  expect(await jobs(runId, 'teach')).toHaveLength(1);
});

test('an answer that was lost on its way creates no second job', async () => {
  const runId = await bench.plan('lost');
  bench.gate.loseNextAnswer('CreateTrainingJob');
  const { jobName } = await start(runId, 'teach');
  expect(await jobStatus(jobName)).toBeDefined();
  expect(await jobs(runId, 'teach')).toMatchObject([{ state: 'WAITING', attempt: 1 }]);
});

test('a record has the limits of its job', async () => {
  const runId = await bench.plan('recorded');
  await start(runId, 'teach');
  expect(await jobs(runId, 'teach')).toMatchObject([
    { runId, kind: 'training', instanceType: 'ml.m5.large', maxRuntimeSeconds: 3600, reported: false },
  ]);
});

describe('a next attempt', () => {
  test('comes after a failure that was reported to the machine', async () => {
    const runId = await bench.plan('next');
    await start(runId, 'teach');
    await fail(runId, 'teach', 1);
    const { jobName } = await start(runId, 'teach', 'token-2');
    expect(jobName).toMatch(/-teach-a2$/);
    expect(await jobs(runId, 'teach')).toMatchObject([
      { attempt: 1, state: 'FAILED', token: 'token-1' },
      { attempt: 2, state: 'WAITING', token: 'token-2' },
    ]);
    expect(await jobStatus(jobName)).toBeDefined();
  });

  test('never comes after an unreported failure: the failure may forbid it', async () => {
    const runId = await bench.plan('unreported');
    await start(runId, 'teach');
    await fail(runId, 'teach', 1, { reported: false, error: 'OutOfMemory' });
    await expect(start(runId, 'teach', 'token-2')).rejects.toMatchObject({ name: 'JobOver' });
    expect(await jobs(runId, 'teach')).toHaveLength(1);
  });

  test('never comes after a success: a resumed run finds that the stage is done', async () => {
    const runId = await bench.plan('done');
    const name = await bench.finish(runId, 'teach');
    const created = bench.gate.called('CreateTrainingJob').length;
    await expect(start(runId, 'teach')).rejects.toMatchObject({
      name: 'JobOver',
      message: expect.stringContaining(name),
    });
    expect(bench.gate.called('CreateTrainingJob')).toHaveLength(created);
  });

  test('ends when six were paid for, with the last reason', async () => {
    const runId = await bench.plan('expensive');
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      await remember(runId, attempt);
      await fail(runId, 'teach', attempt, { message: 'capacity went away' });
    }
    await expect(start(runId, 'teach')).rejects.toMatchObject({
      name: 'JobFailed',
      message: expect.stringMatching(/failed 6 times\. Last failure: capacity went away.*What to do:/),
    });
    expect(await jobs(runId, 'teach')).toHaveLength(6);
  });

  test('is counted by number, not by name: ten comes after nine', async () => {
    const runId = await bench.plan('unpaid');
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await remember(runId, attempt);
      await fail(runId, 'teach', attempt, { seconds: 0 });
    }
    expect((await start(runId, 'teach')).jobName).toMatch(/-teach-a11$/);
  });

  /** All at once, so that only their numbers tell their order. */
  const remember = (run: string, attempt: number) =>
    recordJob(bench.context, { run, stage: 'teach', attempt }, { createdAt: '2026-01-01T00:00:00.000Z' });
});

describe('a refused job', () => {
  test('that only has to wait leaves its attempt open, however often', async () => {
    const runId = await bench.plan('waiting');
    for (const taskToken of ['token-1', 'token-2', 'token-3']) {
      bench.gate.refuseNext('CreateTrainingJob', QUOTA(2));
      await expect(start(runId, 'teach', taskToken)).rejects.toMatchObject({
        name: 'QuotaBusy',
        message: expect.stringContaining('What to do: wait for other jobs'),
      });
    }
    expect((await start(runId, 'teach', 'token-4')).jobName).toMatch(/-a1$/);
    expect(await jobs(runId, 'teach')).toMatchObject([{ attempt: 1, state: 'WAITING', token: 'token-4' }]);
  });

  test.each([
    ['QuotaTooLow', QUOTA(0), /What to do: ask for at least 1 for "ml\.m5\.large for training job usage"/],
    ['QuotaTooLow', QUOTA(1, 0, 4), /is 1, and the job needs 4.*ask for at least 4 for "ml\.m5\.large/],
    ['JobRefused', { name: 'ValidationException', message: 'Malformed' }, /ValidationException: Malformed/],
    ['JobRefused', { name: 'AccessDeniedException', message: 'not yours' }, /not yours.*What to do: check/],
  ])('as %s is over, and says what to do', async (name, refusal, message) => {
    const runId = await bench.plan('refused');
    bench.gate.refuseNext('CreateTrainingJob', refusal);
    const error = (await start(runId, 'teach').catch((caught: unknown) => caught)) as Error;
    expect(error.name).toBe(name);
    expect(error.message).toMatch(message);
    expect(await jobs(runId, 'teach')).toMatchObject([
      { state: 'FAILED', reported: true, error: name, message: expect.stringMatching(message) },
    ]);
  });
});

test('a job whose run was stopped while it was created is stopped, and its model deleted', async () => {
  const runId = await bench.plan('stopped');
  await bench.finish(runId, 'teach');
  bench.control('serve', { hang: true });
  const identity = { run: runId, stage: 'synthesize', attempt: 1 } as const;
  // While CreateModel is on its way, end-run has come and gone.
  const unwatch = bench.gate.before('CreateTransformJob', async () => {
    await fail(runId, 'synthesize', 1, { error: 'JobStopped', seconds: 0 });
  });
  const { jobName } = await start(runId, 'synthesize');
  unwatch();
  await jobEnd(jobName);
  expect(await jobStatus(jobName)).toBe('Stopped');
  await expect(sagemaker().send(new DescribeModelCommand({ ModelName: jobName }))).rejects.toMatchObject({
    name: 'ValidationException',
  });
  expect(await readJob(bench.context, identity)).toMatchObject({ state: 'FAILED', error: 'JobStopped' });
});
