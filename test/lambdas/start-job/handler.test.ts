/** Starting jobs in a real SageMaker service of ours, with a container of a few lines. */
import {
  DescribeModelCommand,
  DescribeTrainingJobCommand,
  DescribeTransformJobCommand,
} from '@aws-sdk/client-sagemaker';
import { handler as reconcileJob } from '../../../lambdas/reconcile-job/handler.ts';
import { handler } from '../../../lambdas/start-job/handler.ts';
import { sagemaker } from '../../../lib/aws/clients.ts';
import { stopJob } from '../../../lib/aws/jobs.ts';
import { listKeys } from '../../../lib/aws/s3.ts';
import { finishJob, listJobs, putJob, readJob } from '../../../lib/aws/table.ts';
import { keys } from '../../../lib/core/keys.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench, BUCKET, REQUEST } from '../bench.ts';

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
const jobs = async (runId: string, stage: JobStage) =>
  (await listJobs(bench.context, runId)).filter((job) => job.stage === stage);

/** As complete-job or reconcile-job leave a failed attempt. */
async function fail(run: string, stage: JobStage, attempt: number, facts: object = {}): Promise<void> {
  const end = {
    state: 'FAILED',
    reported: true,
    seconds: 5,
    error: 'ChunksMissing',
    message: 'it broke',
  } as const;
  expect(await finishJob(bench.context, { run, stage, attempt }, { ...end, ...facts })).toBe(true);
}

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
  expect(await bench.jobStatus(first.jobName)).toBe('InProgress');
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
  expect(await bench.jobStatus(jobName)).toBeDefined();
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
    expect(await bench.jobStatus(jobName)).toBeDefined();
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

  async function remember(run: string, attempt: number): Promise<void> {
    const identity = { run, stage: 'teach', attempt } as const;
    await putJob(bench.context, identity, {
      runId: run,
      jobName: `proxytune-${run}-teach-a${attempt}`,
      stage: 'teach',
      kind: 'training',
      attempt,
      state: 'WAITING',
      token: 'old',
      reported: false,
      createdAt: '2026-01-01T00:00:00.000Z',
      instanceType: 'ml.m5.large',
      maxRuntimeSeconds: 60,
    });
  }
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

describe('a stage that generates images', () => {
  let runId: string;
  beforeAll(async () => {
    runId = await bench.plan('drawing');
    await bench.finish(runId, 'teach');
  }, 60_000);

  async function asked(name: string): Promise<unknown> {
    const { TransformInput } = await sagemaker().send(
      new DescribeTransformJobCommand({ TransformJobName: name }),
    );
    const uri = TransformInput?.DataSource?.S3DataSource?.S3Uri ?? '';
    return JSON.parse((await bench.get(uri.replace(`s3://${BUCKET}/`, ''))).text);
  }

  test('gives the adapter to a model of its own, and later attempts only generate what is missing', async () => {
    bench.control('serve', { refuse: [1, 2] });
    const { jobName } = await start(runId, 'synthesize');
    const model = await sagemaker().send(new DescribeModelCommand({ ModelName: jobName }));
    expect(model.PrimaryContainer).toMatchObject({
      ModelDataUrl: `s3://${BUCKET}/${keys.jobs(runId)}proxytune-${runId}-teach-a1/output/model.tar.gz`,
      Environment: { PROXYTUNE_ROLE: 'teacher', PROXYTUNE_BASE_MODEL: `s3://${BUCKET}/models/sdxl-tiny/` },
    });
    const prefix = `s3://${BUCKET}/${keys.chunks(runId, 'synthesize')}`;
    const name = (chunk: number) => `chunk-000${chunk}.json`;
    expect(await asked(jobName)).toEqual([{ prefix }, name(0), name(1), name(2), name(3)]);
    await bench.jobEnd(jobName);
    expect(await bench.jobStatus(jobName)).toBe('Failed');
    await fail(runId, 'synthesize', 1);

    bench.control('serve', {});
    const { jobName: second } = await start(runId, 'synthesize');
    expect(second).toMatch(/-synthesize-a2$/);
    expect(await asked(second)).toEqual([{ prefix }, name(1), name(2)]);
    await bench.jobEnd(second);
    const pictures = keys.pictures(runId, 'synthesize');
    expect(await listKeys(bench.context, pictures)).toEqual([
      `${pictures}a1/chunk-0000.json.out`,
      `${pictures}a1/chunk-0003.json.out`,
      `${pictures}a2/chunk-0001.json.out`,
      `${pictures}a2/chunk-0002.json.out`,
    ]);
  });

  test('generates one chunk when all had their output before the run was stopped', async () => {
    await fail(runId, 'synthesize', 2, { error: 'JobStopped' });
    const { jobName } = await start(runId, 'synthesize');
    expect(await asked(jobName)).toEqual([expect.anything(), 'chunk-0003.json']);
    await bench.jobEnd(jobName);
  });

  test.each(['transform', 'spot'] as const)(
    'asks for no more instances than there are chunks to draw: %s',
    async (synthesis) => {
      const synthesize = { picturesPerChunk: 2, instances: 3 };
      const advanced = { ...REQUEST.advanced, synthesize };
      const run = await bench.plan(`few-${synthesis}`, { ...REQUEST, synthesis, advanced });
      await bench.finish(run, 'teach');
      bench.control('serve', { refuse: [3] });
      bench.control(`proxytune-${run}-synthesize-a1`, { refuse: [3] });
      const { jobName } = await start(run, 'synthesize');
      expect(await bench.instancesOf(jobName)).toBe(3);
      await bench.jobEnd(jobName);
      // A second call brings a new token, and changes nothing else.
      await expect(start(run, 'synthesize', 'token-2')).rejects.toMatchObject({ name: 'JobOver' });
      expect(await jobs(run, 'synthesize')).toMatchObject([{ instances: 3, token: 'token-2' }]);
      await fail(run, 'synthesize', 1);

      bench.control('serve', {});
      const { jobName: second } = await start(run, 'synthesize', 'token-3');
      expect(await bench.instancesOf(second)).toBe(1);
      // By which it is billed.
      expect(await jobs(run, 'synthesize')).toMatchObject([{ instances: 3 }, { instances: 1 }]);
      await bench.jobEnd(second);
      expect(await reconcileJob({ runId: run, stage: 'synthesize' })).toMatchObject({ over: true });
    },
    30_000,
  );

  test('cannot start before its adapter exists', async () => {
    await expect(start(runId, 'sample-student')).rejects.toMatchObject({
      message: expect.stringContaining('before learn had succeeded'),
    });
  });

  test('reuses its model and its job', async () => {
    bench.control('serve', { hang: true });
    const { jobName } = await start(runId, 'sample-teacher');
    expect(await start(runId, 'sample-teacher', 'token-2')).toEqual({ jobName });
    expect(await jobs(runId, 'sample-teacher')).toMatchObject([{ attempt: 1, chunks: 2, token: 'token-2' }]);
    await stopJob(bench.context, { kind: 'transform', jobName });
    await bench.jobEnd(jobName);
  });
});

describe('a stage that generates images on spot', () => {
  const spot = { ...REQUEST, synthesis: 'spot' };
  const shards = (runId: string, places: readonly (readonly [attempt: number, chunk: number])[]) =>
    places.map(
      ([attempt, chunk]) => `${keys.pictures(runId, 'synthesize')}a${attempt}/chunk-000${chunk}.json.out`,
    );

  test('is a spot training that writes the shards of a transform; only what is missing is generated again', async () => {
    const runId = await bench.plan('spot', spot);
    await bench.finish(runId, 'teach');
    bench.control(`proxytune-${runId}-synthesize-a1`, { refuse: [1, 2] });
    const { jobName } = await start(runId, 'synthesize');
    expect(await jobs(runId, 'synthesize')).toMatchObject([{ kind: 'training', chunks: 4, instances: 1 }]);
    const described = await sagemaker().send(new DescribeTrainingJobCommand({ TrainingJobName: jobName }));
    expect(described).toMatchObject({ EnableManagedSpotTraining: true, EnableNetworkIsolation: true });
    await bench.jobEnd(jobName);
    expect(await bench.jobStatus(jobName)).toBe('Completed');
    // SageMaker calls it done; what counts is that every chunk has its shard.
    await expect(reconcileJob({ runId, stage: 'synthesize' })).rejects.toMatchObject({
      name: 'ChunksMissing',
      message: expect.stringContaining('2 of 4 chunks have no output'),
    });
    const { jobName: second } = await start(runId, 'synthesize', 'token-2');
    expect(second).toMatch(/-synthesize-a2$/);
    await bench.jobEnd(second);
    expect(await reconcileJob({ runId, stage: 'synthesize' })).toMatchObject({ over: true });
    const outputs = await listKeys(bench.context, keys.pictures(runId, 'synthesize'));
    expect(outputs).toEqual(
      shards(runId, [
        [1, 0],
        [1, 3],
        [2, 1],
        [2, 2],
      ]),
    );
    // Nothing of it is left to tidy up, and what follows finds its pictures.
    await start(runId, 'learn');
  });

  test('on two instances is billed for both', async () => {
    const runId = await bench.plan('pair', {
      ...spot,
      advanced: { ...REQUEST.advanced, synthesize: { picturesPerChunk: 2, instances: 2 } },
    });
    await bench.finish(runId, 'teach');
    await bench.finish(runId, 'synthesize');
    const [job] = await jobs(runId, 'synthesize');
    expect(job).toMatchObject({ state: 'SUCCEEDED', instances: 2 });
    // ml.m5.large lists at 0.115 USD an hour.
    expect(job?.usd).toBeCloseTo((2 * (job?.seconds ?? 0) * 0.115) / 3600, 3);
    expect(job?.usd).toBeGreaterThan(((job?.seconds ?? 0) * 0.115) / 3600);
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
  await bench.jobEnd(jobName);
  expect(await bench.jobStatus(jobName)).toBe('Stopped');
  await expect(sagemaker().send(new DescribeModelCommand({ ModelName: jobName }))).rejects.toMatchObject({
    name: 'ValidationException',
  });
  expect(await readJob(bench.context, identity)).toMatchObject({ state: 'FAILED', error: 'JobStopped' });
});
