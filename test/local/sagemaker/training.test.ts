import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateTrainingJobCommand,
  type CreateTrainingJobCommandInput,
  ListTagsCommand,
  StopTrainingJobCommand,
} from '@aws-sdk/client-sagemaker';
import { outcomeOf } from '../../../lib/core/jobs/outcome.ts';
import { jobLogFile } from '../../../lib/local/sagemaker/index.ts';
import { unpack } from '../../../lib/local/sagemaker/transfer/archive.ts';
import { Bench, BUCKET, linkedModel, trainingRequest, until } from './support.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
  await bench.startService({ containerEnv: { OMP_NUM_THREADS: '1' }, maxConcurrentJobs: 4 });
}, 60_000);
afterAll(() => bench.close(), 30_000);

const create = (name: string, changes: Partial<CreateTrainingJobCommandInput> = {}) =>
  bench.client.send(new CreateTrainingJobCommand(trainingRequest(name, changes)));

/** A request for an `action` of the fixture container, with checkpoints mirrored to the job's own prefix. */
const act = (name: string, action: string, settings: Record<string, string> = {}) => ({
  HyperParameters: { action, ...settings },
  CheckpointConfig: { S3Uri: `s3://${BUCKET}/checkpoints/${name}` },
});

const SPOT = {
  EnableManagedSpotTraining: true,
  StoppingCondition: { MaxRuntimeInSeconds: 60, MaxWaitTimeInSeconds: 60 },
};

const statuses = (name: string) =>
  bench.events
    .filter((event) => event.Detail.TrainingJobName === name)
    .map((event) => event.Detail.SecondaryStatus);

async function unpacked<Result>(key: string, read: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'proxytune-artifact-'));
  try {
    await writeFile(join(folder, 'a.tar.gz'), await bench.get(key));
    await unpack(join(folder, 'a.tar.gz'), join(folder, 'content'));
    return await read(join(folder, 'content'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a job gets its channels and config; artifacts, status, events and log are as on SageMaker', async () => {
  await bench.put('in/photos/a.png', 'A');
  await bench.put('in/photos/deep/b.png', 'B');
  await bench.put('in/photos/', '');
  await bench.put('in/photos_other/c.png', 'C');
  await bench.put(
    'in/list.manifest',
    JSON.stringify([{ prefix: `s3://${BUCKET}/in/` }, 'photos/deep/b.png']),
  );
  const source = (S3DataType: 'S3Prefix' | 'ManifestFile', key: string) => ({
    S3DataSource: { S3DataType, S3Uri: `s3://${BUCKET}/${key}` },
  });
  await create('report', {
    HyperParameters: { action: 'report', learning_rate: '0.1' },
    Environment: { CHOSEN: 'yes', OMP_NUM_THREADS: '2' },
    InputDataConfig: [
      { ChannelName: 'folder', DataSource: source('S3Prefix', 'in/photos/'), InputMode: 'FastFile' },
      { ChannelName: 'bare', DataSource: source('S3Prefix', 'in/photos') },
      { ChannelName: 'single', DataSource: source('S3Prefix', 'in/photos/a.png') },
      {
        ChannelName: 'listed',
        DataSource: source('ManifestFile', 'in/list.manifest'),
        ContentType: 'image/png',
      },
    ],
    Tags: [{ Key: 'run', Value: 'r1' }],
  });
  const job = await bench.trainingEnd('report');
  expect(job.FailureReason).toBeUndefined();
  expect(job).toMatchObject({ TrainingJobStatus: 'Completed', SecondaryStatus: 'Completed' });
  expect(job.ModelArtifacts?.S3ModelArtifacts).toBe(`s3://${BUCKET}/out/report/output/model.tar.gz`);
  expect(job.BillableTimeInSeconds).toBeGreaterThanOrEqual(1);
  expect(job.TrainingEndTime?.getTime()).toBeGreaterThanOrEqual(job.TrainingStartTime?.getTime() ?? Infinity);
  const walked = ['Starting', 'Downloading', 'Training', 'Uploading', 'Completed'];
  expect(job.SecondaryStatusTransitions?.map(({ Status }) => Status)).toEqual(walked);
  expect(statuses('report')).toEqual(walked);

  const seen = await unpacked('out/report/output/model.tar.gz', async (folder) =>
    JSON.parse(await readFile(join(folder, 'weights/seen.json'), 'utf8')),
  );
  expect(seen.files).toEqual({
    'folder/a.png': 'A',
    'folder/deep/b.png': 'B',
    'bare/a.png': 'A',
    'bare/deep/b.png': 'B',
    'bare/photos_other/c.png': 'C',
    'single/a.png': 'A',
    'listed/photos/deep/b.png': 'B',
  });
  expect(seen.config.hyperparameters).toEqual({ action: 'report', learning_rate: '0.1' });
  expect(seen.config.inputdataconfig.folder.TrainingInputMode).toBe('FastFile');
  expect(seen.config.inputdataconfig.listed.ContentType).toBe('image/png');
  expect(seen.config.resourceconfig).toMatchObject({ current_host: 'algo-1', hosts: ['algo-1'] });
  expect(seen.config.checkpointconfig).toBeUndefined();
  expect(seen.env).toMatchObject({
    TRAINING_JOB_NAME: 'report',
    TRAINING_JOB_ARN: job.TrainingJobArn,
    CHOSEN: 'yes',
    OMP_NUM_THREADS: '2',
    AWS_ACCESS_KEY_ID: 'test',
  });
  // A container that needs its region gets it from its request, as no document promises one.
  expect(Object.keys(seen.env).filter((name) => /REGION/.test(name))).toEqual([]);
  expect(Object.keys(seen.env)).not.toContain('JEST_WORKER_ID');
  const metrics = await unpacked('out/report/output/output.tar.gz', (folder) =>
    readFile(join(folder, 'metrics.json'), 'utf8'),
  );
  expect(metrics).toBe('{"loss": 0.5}');
  expect(readFileSync(jobLogFile(bench.dataDir, 'report'), 'utf8')).toContain('report written');
  const tags = await bench.client.send(new ListTagsCommand({ ResourceArn: job.TrainingJobArn }));
  expect(tags.Tags).toEqual([{ Key: 'run', Value: 'r1' }]);
});

test('a linked model whose files have changed since its import fails the job by name', async () => {
  const model = await linkedModel(bench, 'changed');
  writeFileSync(join(model, 'unet/weights'), 'other');
  await create('changed', {
    HyperParameters: { action: 'report' },
    InputDataConfig: [
      {
        ChannelName: 'base',
        DataSource: {
          S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `s3://${BUCKET}/models/changed/` },
        },
      },
    ],
  });
  const { FailureReason } = await bench.trainingEnd('changed');
  expect(FailureReason).toMatch(/^ModelChanged: .*unet\/weights has 5 bytes instead of 1.*What to do:/);
});

test('the channel of a linked model gets links', async () => {
  const model = await linkedModel(bench, 'linked');
  await create('linked', {
    HyperParameters: { action: 'report' },
    InputDataConfig: [
      {
        ChannelName: 'base',
        DataSource: {
          S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `s3://${BUCKET}/models/linked/` },
        },
      },
    ],
  });
  expect((await bench.trainingEnd('linked')).FailureReason).toBeUndefined();
  const seen = await unpacked('out/linked/output/model.tar.gz', async (folder) =>
    JSON.parse(await readFile(join(folder, 'weights/seen.json'), 'utf8')),
  );
  expect(seen.files).toEqual({
    'base/config.json': '{}',
    'base/unet/weights': 'W',
    'base/manifest.json': expect.stringContaining(`"linked":"${model}"`),
  });
  // The job's folder is deleted, but not the targets of its links.
  expect(readFileSync(join(model, 'unet/weights'), 'utf8')).toBe('W');
});

test('CompressionType NONE stores plain files, and an isolated container has no access to AWS', async () => {
  await create('plain', {
    HyperParameters: { action: 'report' },
    OutputDataConfig: { S3OutputPath: `s3://${BUCKET}/out/`, CompressionType: 'NONE' },
    EnableNetworkIsolation: true,
  });
  const job = await bench.trainingEnd('plain');
  expect(job.ModelArtifacts?.S3ModelArtifacts).toBe(`s3://${BUCKET}/out/plain/output/model/`);
  expect(await bench.keys('out/plain/')).toEqual([
    'out/plain/output/data/metrics.json',
    'out/plain/output/model/weights/seen.json',
  ]);
  const seen = JSON.parse((await bench.get('out/plain/output/model/weights/seen.json')).toString());
  expect(Object.keys(seen.env).filter((name) => name.startsWith('AWS_'))).toEqual([]);
});

test("a crash fails the job with the container's message and exit code", async () => {
  await create('crash', act('crash', 'crash'));
  const job = await bench.trainingEnd('crash');
  const reason = 'AlgorithmError: TeacherDiverged: loss is NaN at step 7, exit code: 3';
  expect(job).toMatchObject({
    TrainingJobStatus: 'Failed',
    SecondaryStatus: 'Failed',
    FailureReason: reason,
  });
  const last = bench.events.filter((event) => event.Detail.TrainingJobName === 'crash').at(-1);
  expect(last?.Detail).toMatchObject({ TrainingJobStatus: 'Failed', FailureReason: reason });
  expect(await bench.keys('out/crash/')).toEqual([]);
  expect(await bench.keys('checkpoints/crash')).toEqual([]);
});

test('a container that was killed is reported by its exit code, and is out of memory', async () => {
  await create('killed', act('killed', 'killed'));
  const job = await bench.trainingEnd('killed');
  expect(job.FailureReason).toBe('AlgorithmError: See job logs for more information, exit code: 137');
  expect(outcomeOf(job)).toMatchObject({ over: true, error: 'OutOfMemory' });
});

test('on spot fewer seconds are billed than trained, on demand all of them', async () => {
  await create('saved', { ...act('saved', 'report'), ...SPOT });
  const saved = await bench.trainingEnd('saved');
  expect(saved.BillableTimeInSeconds).toBeGreaterThan(0);
  expect(saved.BillableTimeInSeconds).toBeLessThan(saved.TrainingTimeInSeconds ?? 0);
  const { BillableTimeInSeconds, TrainingTimeInSeconds } = await bench.describeTraining('killed');
  expect(BillableTimeInSeconds).toBe(TrainingTimeInSeconds);
});

test('a stopped job keeps its model and checkpoints, even if it must be killed', async () => {
  await create('stubborn', act('stubborn', 'hang', { stubborn: 'true' }));
  await until('it is up', async () => (await bench.keys('checkpoints/stubborn/')).length > 0);
  await bench.client.send(new StopTrainingJobCommand({ TrainingJobName: 'stubborn' }));
  expect((await bench.describeTraining('stubborn')).TrainingJobStatus).toBe('Stopping');
  const job = await bench.trainingEnd('stubborn');
  expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'Stopped' });
  expect(await bench.keys('out/stubborn/')).toEqual(['out/stubborn/output/model.tar.gz']);
  expect(await bench.keys('checkpoints/stubborn/')).toEqual(['checkpoints/stubborn/pid.txt']);
  await expect(
    bench.client.send(new StopTrainingJobCommand({ TrainingJobName: 'stubborn' })),
  ).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('in status Stopped'),
  });
});

test('MaxRuntimeInSeconds ends a job as Stopped with MaxRuntimeExceeded', async () => {
  await create('long', { ...act('long', 'hang'), StoppingCondition: { MaxRuntimeInSeconds: 1 } });
  const job = await bench.trainingEnd('long');
  expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' });
  expect(job.ModelArtifacts?.S3ModelArtifacts).toBeDefined();
});

test('a test can make a job reach that limit; its checkpoints stay for the next one', async () => {
  const request = act('late', 'steps', { steps: '14', pause: '0.25' });
  await create('late', request);
  await until('a step is mirrored', async () =>
    (await bench.keys('checkpoints/late/')).includes('checkpoints/late/step.json'),
  );
  await bench.service.faults.exceedRuntime('late');
  const job = await bench.trainingEnd('late');
  expect(job).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' });
  await expect(bench.service.faults.exceedRuntime('late')).rejects.toThrow('only a job that is Training');
  await expect(bench.service.faults.exceedRuntime('nobody')).rejects.toThrow(
    'has not started a training job nobody',
  );
  await create('late-2', { ...request, HyperParameters: { action: 'steps', steps: '14', pause: '0' } });
  expect(await bench.trainingEnd('late-2')).toMatchObject({ TrainingJobStatus: 'Completed' });
  const { began } = await unpacked('out/late-2/output/model.tar.gz', async (folder) =>
    JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')),
  );
  expect(began).toBeGreaterThanOrEqual(1);
});

test('an interrupted spot job restarts in a new folder from its mirrored checkpoint', async () => {
  await create('spot', { ...act('spot', 'steps', { steps: '14', pause: '0.25' }), ...SPOT });
  // Step 9 deletes a file that was mirrored and restored before; it must be deleted in S3 too.
  const passing = 'checkpoints/spot/passing.txt';
  await until('the passing file is mirrored', async () =>
    (await bench.keys('checkpoints/spot/')).includes(passing),
  );
  const step = async () => JSON.parse((await bench.get('checkpoints/spot/step.json')).toString()).step;
  await until('three steps are mirrored', () =>
    step().then(
      (at) => at >= 3,
      () => false,
    ),
  );
  await bench.service.faults.interrupt('spot', 0);
  const job = await bench.trainingEnd('spot');
  expect(job.FailureReason).toBeUndefined();
  expect(job.TrainingJobStatus).toBe('Completed');
  expect(statuses('spot')).toEqual([
    ...['Starting', 'Downloading', 'Training', 'Interrupted', 'Restarting'],
    ...['Downloading', 'Training', 'Uploading', 'Completed'],
  ]);
  const result = await unpacked('out/spot/output/model.tar.gz', async (folder) =>
    JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')),
  );
  expect(result.began).toBeGreaterThanOrEqual(3);
  expect(await bench.keys('checkpoints/spot/')).toEqual(['checkpoints/spot/step.json']);
});

describe('a job of two instances', () => {
  const TWO = {
    ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 2, VolumeSizeInGB: 30 },
  } as const;

  test('shares its checkpoints, and after an interruption each instance has those of all', async () => {
    await create('pair', { ...act('pair', 'share'), ...SPOT, ...TWO });
    const both = ['checkpoints/pair/algo-1.json', 'checkpoints/pair/algo-2.json'];
    await until('both are mirrored', async () => (await bench.keys('checkpoints/pair/')).length === 2);
    expect(await bench.keys('checkpoints/pair/')).toEqual(both);
    await bench.service.faults.interrupt('pair', 0);
    expect(await bench.trainingEnd('pair')).toMatchObject({ TrainingJobStatus: 'Completed' });
    for (const key of both)
      expect(JSON.parse((await bench.get(key)).toString())).toEqual({
        hosts: ['algo-1', 'algo-2'],
        found: ['algo-1.json', 'algo-2.json'],
      });
    const host = await unpacked('out/pair/output/model.tar.gz', (folder) =>
      readFile(join(folder, 'host.txt'), 'utf8'),
    );
    expect(host).toBe('algo-1');
  });

  test('fails if one of them does, with its message, and the other ends', async () => {
    await create('half', { ...act('half', 'share', { crashes: 'algo-2' }), ...TWO });
    expect(await bench.trainingEnd('half')).toMatchObject({
      TrainingJobStatus: 'Failed',
      FailureReason: 'AlgorithmError: TeacherDiverged: loss is NaN at step 7, exit code: 3',
    });
  });
});

test('an on-demand job or an unknown job cannot be interrupted', async () => {
  await create('on-demand');
  await expect(bench.service.faults.interrupt('on-demand')).rejects.toThrow('not a managed spot job');
  await expect(bench.service.faults.interrupt('nobody')).rejects.toThrow(
    'has not started a training job nobody',
  );
  await bench.trainingEnd('on-demand');
});

test('events can be dropped and duplicated', async () => {
  const restore = bench.service.faults.dropEvents(({ Detail }) => Detail.TrainingJobStatus === 'Completed');
  bench.service.faults.duplicateEvents(3);
  await create('noisy');
  await bench.trainingEnd('noisy');
  restore();
  bench.service.faults.duplicateEvents(1);
  expect(statuses('noisy')).toEqual(
    ['Starting', 'Downloading', 'Training', 'Uploading'].flatMap((status) => [status, status, status]),
  );
});

test('a channel without objects is rejected when the job is created', async () => {
  const nothing = { S3DataSource: { S3DataType: 'S3Prefix' as const, S3Uri: `s3://${BUCKET}/nowhere/` } };
  await expect(
    create('empty', { InputDataConfig: [{ ChannelName: 'photos', DataSource: nothing }] }),
  ).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('No S3 objects found'),
  });
});
