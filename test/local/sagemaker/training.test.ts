/** The data, variables and outputs of a training job. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ListTagsCommand } from '@aws-sdk/client-sagemaker';
import { jobLogFile } from '../../../lib/local/sagemaker/index.ts';
import { Bench, BUCKET, linkedModel } from './support.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
  await bench.startService({ containerEnv: { OMP_NUM_THREADS: '1' }, maxConcurrentJobs: 4 });
}, 60_000);
afterAll(() => bench.close(), 30_000);

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
  await bench.createTraining('report', {
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
  expect(bench.trainingStatuses('report')).toEqual(walked);

  const seen = await bench.unpacked('out/report/output/model.tar.gz', async (folder) =>
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
  const metrics = await bench.unpacked('out/report/output/output.tar.gz', (folder) =>
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
  await bench.createTraining('changed', {
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
  await bench.createTraining('linked', {
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
  const seen = await bench.unpacked('out/linked/output/model.tar.gz', async (folder) =>
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
  await bench.createTraining('plain', {
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

test('events can be dropped and duplicated', async () => {
  const restore = bench.service.faults.dropEvents(({ Detail }) => Detail.TrainingJobStatus === 'Completed');
  bench.service.faults.duplicateEvents(3);
  await bench.createTraining('noisy');
  await bench.trainingEnd('noisy');
  restore();
  bench.service.faults.duplicateEvents(1);
  expect(bench.trainingStatuses('noisy')).toEqual(
    ['Starting', 'Downloading', 'Training', 'Uploading'].flatMap((status) => [status, status, status]),
  );
});

test('a channel without objects is rejected when the job is created', async () => {
  const nothing = { S3DataSource: { S3DataType: 'S3Prefix' as const, S3Uri: `s3://${BUCKET}/nowhere/` } };
  await expect(
    bench.createTraining('empty', { InputDataConfig: [{ ChannelName: 'photos', DataSource: nothing }] }),
  ).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('No S3 objects found'),
  });
});
