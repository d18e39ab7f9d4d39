/** Stages that generate images: each attempt generates only the chunks without an output, as a transform or on spot. */
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
import { keys } from '../../../lib/core/keys.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench, BUCKET, REQUEST } from '../bench.ts';
import { failAttempt, instancesOf, jobEnd, jobStatus, jobsOfStage } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);
beforeEach(() => bench.control('serve', {}));

const start = (runId: string, stage: JobStage, taskToken = 'token-1') => handler({ runId, stage, taskToken });
const jobs = (runId: string, stage: JobStage) => jobsOfStage(bench.context, runId, stage);
const fail = (run: string, attempt: number, facts: object = {}) =>
  failAttempt(bench.context, { run, stage: 'synthesize', attempt }, facts);

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
    await jobEnd(jobName);
    expect(await jobStatus(jobName)).toBe('Failed');
    await fail(runId, 1);

    bench.control('serve', {});
    const { jobName: second } = await start(runId, 'synthesize');
    expect(second).toMatch(/-synthesize-a2$/);
    expect(await asked(second)).toEqual([{ prefix }, name(1), name(2)]);
    await jobEnd(second);
    const pictures = keys.pictures(runId, 'synthesize');
    expect(await listKeys(bench.context, pictures)).toEqual([
      `${pictures}a1/chunk-0000.json.out`,
      `${pictures}a1/chunk-0003.json.out`,
      `${pictures}a2/chunk-0001.json.out`,
      `${pictures}a2/chunk-0002.json.out`,
    ]);
  });

  test('generates one chunk when all had their output before the run was stopped', async () => {
    await fail(runId, 2, { error: 'JobStopped' });
    const { jobName } = await start(runId, 'synthesize');
    expect(await asked(jobName)).toEqual([expect.anything(), 'chunk-0003.json']);
    await jobEnd(jobName);
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
      expect(await instancesOf(jobName)).toBe(3);
      await jobEnd(jobName);
      // A second call brings a new token, and changes nothing else.
      await expect(start(run, 'synthesize', 'token-2')).rejects.toMatchObject({ name: 'JobOver' });
      expect(await jobs(run, 'synthesize')).toMatchObject([{ instances: 3, token: 'token-2' }]);
      await fail(run, 1);

      bench.control('serve', {});
      const { jobName: second } = await start(run, 'synthesize', 'token-3');
      expect(await instancesOf(second)).toBe(1);
      // By which it is billed.
      expect(await jobs(run, 'synthesize')).toMatchObject([{ instances: 3 }, { instances: 1 }]);
      await jobEnd(second);
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
    await jobEnd(jobName);
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
    await jobEnd(jobName);
    expect(await jobStatus(jobName)).toBe('Completed');
    // SageMaker calls it done; what counts is that every chunk has its shard.
    await expect(reconcileJob({ runId, stage: 'synthesize' })).rejects.toMatchObject({
      name: 'ChunksMissing',
      message: expect.stringContaining('2 of 4 chunks have no output'),
    });
    const { jobName: second } = await start(runId, 'synthesize', 'token-2');
    expect(second).toMatch(/-synthesize-a2$/);
    await jobEnd(second);
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
