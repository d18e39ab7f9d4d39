import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateModelCommand,
  CreateTransformJobCommand,
  type CreateTransformJobCommandInput,
  DeleteModelCommand,
  DescribeModelCommand,
  ListModelsCommand,
  ListTransformJobsCommand,
  StopTransformJobCommand,
} from '@aws-sdk/client-sagemaker';
import { jobLogFile } from '../../../lib/local/sagemaker/index.ts';
import { pack } from '../../../lib/local/sagemaker/transfer/archive.ts';
import { alive, Bench, BUCKET, linkedModel, ROLE, until } from './support.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
  await bench.startService({ maxConcurrentJobs: 4 });
  for (const weights of ['plain', 'broken', 'two at a time']) await storeModel(weights);
}, 60_000);
afterAll(() => bench.close(), 30_000);

const key = (weights: string) => weights.replaceAll(' ', '-');

/** A model whose archive has a weights.txt with a command for the fixture server. */
async function storeModel(weights: string): Promise<void> {
  const folder = join(bench.folder, key(weights));
  await mkdir(folder);
  await writeFile(join(folder, 'weights.txt'), weights);
  await pack(folder, `${folder}.tar.gz`);
  await bench.put(`models/${key(weights)}.tar.gz`, readFileSync(`${folder}.tar.gz`));
  await createModel(key(weights), { ModelDataUrl: `s3://${BUCKET}/models/${key(weights)}.tar.gz` });
}

function createModel(name: string, container: object) {
  const PrimaryContainer = {
    Image: 'proxytune:latest',
    Environment: { FROM_MODEL: 'm', FROM_JOB: 'm' },
    ...container,
  };
  return bench.client.send(
    new CreateModelCommand({ ModelName: name, PrimaryContainer, ExecutionRoleArn: ROLE }),
  );
}

async function create(name: string, changes: Partial<CreateTransformJobCommandInput> = {}) {
  return bench.client.send(
    new CreateTransformJobCommand({
      TransformJobName: name,
      ModelName: 'plain',
      TransformInput: {
        DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `s3://${BUCKET}/in/${name}/` } },
        ContentType: 'application/json',
      },
      TransformOutput: { S3OutputPath: `s3://${BUCKET}/out/${name}/`, Accept: 'application/x-tar' },
      TransformResources: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1 },
      ...changes,
    }),
  );
}

async function putInputs(name: string, bodies: Record<string, string>): Promise<void> {
  for (const [file, body] of Object.entries(bodies)) await bench.put(`in/${name}/${file}`, body);
}

const output = async (name: string, file: string) =>
  JSON.parse((await bench.get(`out/${name}/${file}.out`)).toString());
const log = (name: string) => readFileSync(jobLogFile(bench.dataDir, name), 'utf8');

test('each object is sent to the server with its headers and stored as .out under the same relative name', async () => {
  await putInputs('complete', { '0000.json': 'zero', 'deep/0001.json': 'one', 'folder/': '' });
  await create('complete', {
    Environment: { FROM_JOB: 'j' },
    MaxConcurrentTransforms: 1,
    MaxPayloadInMB: 5,
    BatchStrategy: 'SingleRecord',
    Tags: [{ Key: 'run', Value: 'r1' }],
  });
  const job = await bench.transformEnd('complete');
  expect(job.FailureReason).toBeUndefined();
  expect(job.TransformJobStatus).toBe('Completed');
  expect(job.TransformEndTime?.getTime()).toBeGreaterThan(job.TransformStartTime?.getTime() ?? Infinity);
  expect(await bench.keys('out/complete/')).toEqual([
    'out/complete/0000.json.out',
    'out/complete/deep/0001.json.out',
  ]);
  const seen = await output('complete', 'deep/0001.json');
  expect(seen).toMatchObject({
    body: 'one',
    type: 'application/json',
    accept: 'application/x-tar',
    weights: 'plain',
  });
  expect(seen.env).toMatchObject({
    FROM_MODEL: 'm',
    FROM_JOB: 'j',
    SAGEMAKER_BATCH: 'true',
    SAGEMAKER_BATCH_STRATEGY: 'SINGLE_RECORD',
    SAGEMAKER_MAX_CONCURRENT_TRANSFORMS: '1',
    SAGEMAKER_MAX_PAYLOAD_IN_MB: '5',
  });
  expect(alive(seen.pid)).toBe(false);
  const events = bench.events.filter((event) => event.Detail.TransformJobName === 'complete');
  expect(events.map(({ Detail }) => Detail.TransformJobStatus)).toEqual([
    'InProgress',
    'InProgress',
    'Completed',
  ]);
  expect(events[0]).toMatchObject({
    DetailType: 'SageMaker Transform Job State Change',
    Resources: [job.TransformJobArn],
    Detail: { TransformStartTime: null, ModelName: 'plain', Tags: { run: 'r1' } },
  });
});

test('the URI of a linked model is that of its folder', async () => {
  const folder = await linkedModel(bench, 'stays');
  await bench.put('models/copied/manifest.json', '{}');
  await putInputs('link', { '0.json': 'zero' });
  const Environment = {
    FROM_MODEL: `s3://${BUCKET}/models/copied/`,
    FROM_JOB: `s3://${BUCKET}/models/stays/`,
  };
  await create('link', { Environment });
  expect((await bench.transformEnd('link')).FailureReason).toBeUndefined();
  expect((await output('link', '0.json')).env).toMatchObject({
    FROM_MODEL: Environment.FROM_MODEL,
    FROM_JOB: `file://${folder}`,
  });
});

test('a failing object has no .out, the others are stored, and the job is Failed', async () => {
  await putInputs('partly', {
    'a.json': 'fine',
    'b.json': 'reject',
    'c.json': 'reject once',
    'd.json': 'x'.repeat(2e6),
  });
  await create('partly', { ModelClientConfig: { InvocationsMaxRetries: 1 }, MaxPayloadInMB: 1 });
  const job = await bench.transformEnd('partly');
  expect(job.TransformJobStatus).toBe('Failed');
  expect(job.FailureReason).toMatch(
    /^AlgorithmError: See job logs .* 2 of 4 objects failed, first in\/partly\/b.json/,
  );
  expect(await bench.keys('out/partly/')).toEqual(['out/partly/a.json.out', 'out/partly/c.json.out']);
  expect(await output('partly', 'c.json')).toMatchObject({ tries: 2 });
  expect(log('partly')).toContain('in/partly/b.json: Bad HTTP status received from algorithm: 500 no thanks');
});

test('a timeout and a server that dies fail the job and leave no process', async () => {
  await putInputs('slow', { 'a.json': 'fine', 'b.json': 'sleep 20' });
  await create('slow', { ModelClientConfig: { InvocationsMaxRetries: 0, InvocationsTimeoutInSeconds: 1 } });
  await putInputs('dying', { 'a.json': 'die', 'b.json': 'fine' });
  await create('dying');
  expect(await bench.transformEnd('slow')).toMatchObject({
    TransformJobStatus: 'Failed',
    FailureReason: expect.stringContaining('no response within 1 s'),
  });
  expect(alive((await output('slow', 'a.json')).pid)).toBe(false);
  expect(await bench.transformEnd('dying')).toMatchObject({
    TransformJobStatus: 'Failed',
    FailureReason: expect.stringContaining('the container has ended, exit code: 7'),
  });
});

test('a server that ends before it is ready fails the job immediately', async () => {
  await putInputs('unready', { 'a.json': 'x' });
  await create('unready', {
    ModelName: 'broken',
    TransformResources: { InstanceType: 'ml.g5.xlarge', InstanceCount: 2 },
  });
  const job = await bench.transformEnd('unready');
  expect(job.FailureReason).toMatch(
    /^AlgorithmError: .* ended before it answered \/ping with 200, exit code: 5$/,
  );
  expect(log('unready')).toContain('cannot load the adapter');
});

test('instances share the objects of a manifest, and the container can set its own concurrency', async () => {
  const files = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}.json`);
  await putInputs('shared', Object.fromEntries(files.map((file) => [file, `sleep 0.2 ${file}`])));
  await putInputs('shared', { 'unlisted.json': 'not me' });
  await bench.put(
    'manifests/shared',
    JSON.stringify([{ prefix: `s3://${BUCKET}/in/` }, ...files.map((f) => `shared/${f}`)]),
  );
  await create('shared', {
    ModelName: 'two-at-a-time',
    TransformInput: {
      DataSource: { S3DataSource: { S3DataType: 'ManifestFile', S3Uri: `s3://${BUCKET}/manifests/shared` } },
    },
    TransformResources: { InstanceType: 'ml.g5.xlarge', InstanceCount: 2 },
  });
  expect((await bench.transformEnd('shared')).FailureReason).toBeUndefined();
  expect(await bench.keys('out/shared/')).toEqual(files.map((file) => `out/shared/shared/${file}.out`));
  const seen = await Promise.all(files.map((file) => output('shared', `shared/${file}`)));
  expect(new Set(seen.map(({ pid }) => pid)).size).toBe(2);
  expect(Math.max(...seen.map(({ busiest }) => busiest))).toBe(2);
});

test('a stopped job discards its outputs', async () => {
  await putInputs('stopped', { 'a.json': 'fine', 'b.json': 'sleep 20' });
  await create('stopped');
  await until('the first output is there', async () => (await bench.keys('out/stopped/')).length === 1);
  const { pid } = await output('stopped', 'a.json');
  expect(alive(pid)).toBe(true);
  await bench.client.send(new StopTransformJobCommand({ TransformJobName: 'stopped' }));
  const job = await bench.transformEnd('stopped');
  expect(job).toMatchObject({ TransformJobStatus: 'Stopped' });
  expect(await bench.keys('out/stopped/')).toEqual([]);
  expect(alive(pid)).toBe(false);
});

test('an archive with a path out of its folder is rejected', async () => {
  const archive = readFileSync(new URL('./fixtures/leads-out.tar.gz', import.meta.url));
  await bench.put('models/bad.tar.gz', archive);
  await createModel('bad', { ModelDataUrl: `s3://${BUCKET}/models/bad.tar.gz` });
  await putInputs('bad', { 'a.json': 'x' });
  await create('bad', { ModelName: 'bad' });
  expect((await bench.transformEnd('bad')).FailureReason).toBe(
    'ClientError: Model data could not be unpacked: the path ../outside.txt leads out of its folder.',
  );
});

test('a model can be created with ModelDataSource, but not transformed', async () => {
  const S3DataSource = { S3Uri: `s3://${BUCKET}/models/`, S3DataType: 'S3Prefix', CompressionType: 'None' };
  await createModel('unpacked', { ModelDataSource: { S3DataSource } });
  await putInputs('unpacked', { 'a.json': 'x' });
  await expect(create('unpacked', { ModelName: 'unpacked' })).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('which use ModelDataSource attribute'),
  });
});

test('models are described, listed, deleted and rejected as on SageMaker', async () => {
  const described = await bench.client.send(new DescribeModelCommand({ ModelName: 'plain' }));
  expect(described).toMatchObject({ ModelName: 'plain', PrimaryContainer: { Image: 'proxytune:latest' } });
  await expect(createModel('plain', {})).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('Cannot create already existing model'),
  });
  await expect(
    createModel('missing', { ModelDataUrl: `s3://${BUCKET}/missing.tar.gz` }),
  ).rejects.toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('Could not find model data'),
  });
  await expect(create('x', { ModelName: 'nobody' })).rejects.toMatchObject({ name: 'ValidationException' });
  await createModel('brief', {});
  await bench.client.send(new DeleteModelCommand({ ModelName: 'brief' }));
  const { Models } = await bench.client.send(new ListModelsCommand({ NameContains: 'b', SortBy: 'Name' }));
  const names = Models?.map((model) => model.ModelName);
  expect(names).toContain('broken');
  expect(names).not.toContain('brief');
});

test('the name of a transform job stays in use forever', async () => {
  await expect(create('complete')).rejects.toMatchObject({ name: 'ResourceInUse' });
  const { TransformJobSummaries } = await bench.client.send(
    new ListTransformJobsCommand({ NameContains: 'complete' }),
  );
  expect(TransformJobSummaries?.map((job) => job.TransformJobStatus)).toEqual(['Completed']);
});
