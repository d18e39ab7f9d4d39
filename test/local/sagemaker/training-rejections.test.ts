/** Requests that SageMaker rejects are rejected here, under the same error name. None of them reaches S3. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SageMakerService, startSageMakerService } from '../../../lib/local/sagemaker/index.ts';
import { apiModel } from '../../../lib/local/sagemaker/model/shapes.ts';
import { anchored, checkRequest } from '../../../lib/local/sagemaker/model/validate.ts';
import { operations } from '../../../lib/local/sagemaker/operations/index.ts';
import { ROLE, trainingRequest } from './support.ts';

let folder: string;
let service: SageMakerService;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxytune-rejections-'));
  service = await startSageMakerService({
    dataDir: folder,
    s3: {
      endpoint: 'http://127.0.0.1:9',
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    },
    commands: { train: ['false'], serve: ['false'] },
  });
});
afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true });
});

async function post(operation: string, body: unknown) {
  const response = await fetch(service.endpoint, {
    method: 'POST',
    headers: { 'X-Amz-Target': `SageMaker.${operation}`, 'Content-Type': 'application/x-amz-json-1.1' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, ...((await response.json()) as { __type?: string; message?: string }) };
}

const validation = (message: RegExp) => ({
  status: 400,
  __type: 'ValidationException',
  message: expect.stringMatching(message),
});

const resources = (changes: object) => ({
  ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1, VolumeSizeInGB: 30, ...changes },
});
const channel = (changes: object, source: object = {}) => ({
  ChannelName: 'photos',
  DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: 's3://b/in/', ...source } },
  ...changes,
});
const algorithm = (changes: object) => ({
  AlgorithmSpecification: { TrainingImage: 'image', TrainingInputMode: 'File', ...changes },
});

test.each<[string, object, RegExp]>([
  [
    'a name of 64 characters',
    { TrainingJobName: 'a'.repeat(64) },
    /'trainingJobName'.*length less than or equal to 63/,
  ],
  [
    'a name with an underscore',
    { TrainingJobName: 'a_b' },
    /Value 'a_b' at 'trainingJobName'.*regular expression/,
  ],
  ['no role', { RoleArn: undefined }, /Value null at 'roleArn'.*must not be null/],
  ['an invalid role', { RoleArn: 'arn:aws:iam::1:user/somebody' }, /'roleArn'.*regular expression/],
  ['an unknown member', { MaxRuntime: 3 }, /Member 'MaxRuntime' at '' is unknown/],
  ['an unknown nested member', resources({ Spot: true }), /Member 'Spot' at 'resourceConfig' is unknown/],
  [
    'an unknown instance type',
    resources({ InstanceType: 'ml.g5.huge' }),
    /'resourceConfig.instanceType'.*enum value set/,
  ],
  [
    'a runtime of zero',
    { StoppingCondition: { MaxRuntimeInSeconds: 0 } },
    /'stoppingCondition.maxRuntimeInSeconds'.*greater than or equal to 1/,
  ],
  [
    '21 channels',
    { InputDataConfig: Array.from({ length: 21 }, (_, i) => channel({ ChannelName: `c${i}` })) },
    /'inputDataConfig'.*length less than or equal to 20/,
  ],
  [
    'an empty channel name',
    { InputDataConfig: [channel({ ChannelName: '' })] },
    /'inputDataConfig.1.member.channelName'/,
  ],
  [
    '101 hyperparameters',
    { HyperParameters: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, ''])) },
    /'hyperParameters'.*length less than or equal to 100/,
  ],
  [
    'a hyperparameter with a line break',
    { HyperParameters: { prompt: 'a\nb' } },
    /'hyperParameters.prompt.member'.*regular expression/,
  ],
  [
    'an environment value of 513 characters',
    { Environment: { TOKEN: 'x'.repeat(513) } },
    /'environment.TOKEN.member'.*512/,
  ],
  ['an environment name with a dash', { Environment: { 'A-B': 'x' } }, /'environment.A-B.key'/],
  ['two faults at once', { TrainingJobName: '-', RoleArn: undefined }, /^2 validation errors detected: /],
  ['no algorithm', { AlgorithmSpecification: undefined }, /AlgorithmSpecification is required/],
  ['image and algorithm', algorithm({ AlgorithmName: 'mine' }), /either TrainingImage or AlgorithmName/],
  [
    'MaxWait without spot',
    { StoppingCondition: { MaxRuntimeInSeconds: 9, MaxWaitTimeInSeconds: 9 } },
    /only supported when EnableManagedSpotTraining/,
  ],
  [
    'MaxWait under MaxRuntime',
    {
      EnableManagedSpotTraining: true,
      StoppingCondition: { MaxRuntimeInSeconds: 9, MaxWaitTimeInSeconds: 8 },
    },
    /greater than or equal to MaxRuntimeInSeconds/,
  ],
  ['spot without MaxWait', { EnableManagedSpotTraining: true }, /It must be present/],
  ['29 days', { StoppingCondition: { MaxRuntimeInSeconds: 29 * 86_400 } }, /28 days/],
  [
    'a volume key on NVMe',
    resources({ VolumeKmsKeyId: 'key' }),
    /VolumeKmsKeyId is not supported for instance type ml.g5.xlarge/,
  ],
  [
    'EBS without its size',
    resources({ InstanceType: 'ml.m5.large', VolumeSizeInGB: undefined }),
    /VolumeSizeInGB is required/,
  ],
  ['a warm pool over an hour', resources({ KeepAlivePeriodInSeconds: 3601 }), /at most 3600/],
  [
    'preferences together with a type',
    resources({ InstancePreferences: [{ InstanceType: 'ml.g5.xlarge', InstanceCount: 1 }] }),
    /InstancePreferences cannot be combined with ResourceConfig.InstanceType/,
  ],
  ['a hyperparameter of 257 characters', { HyperParameters: { prompt: 'x'.repeat(257) } }, /at most 256/],
  ['a channel twice', { InputDataConfig: [channel({}), channel({})] }, /Duplicate channel name photos/],
  ['a channel without source', { InputDataConfig: [channel({ DataSource: {} })] }, /exactly one data source/],
  [
    'FastFile with a manifest',
    { InputDataConfig: [channel({ InputMode: 'FastFile' }, { S3DataType: 'ManifestFile' })] },
    /FastFile input mode only supports S3Prefix/,
  ],
  [
    'FastFile without a folder',
    { InputDataConfig: [channel({ InputMode: 'FastFile' }, { S3Uri: 's3://b/in' })] },
    /must end with "\/"/,
  ],
  [
    'a tag twice',
    {
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'a', Value: '2' },
      ],
    },
    /Duplicate tag key/,
  ],
  [
    'Pipe mode, which only this service rejects',
    algorithm({ TrainingInputMode: 'Pipe' }),
    /The local SageMaker service does not support Pipe mode/,
  ],
  [
    'nine instances, which only this service rejects',
    resources({ InstanceCount: 9 }),
    /The local SageMaker service does not support/,
  ],
  [
    'a command, which only this service rejects',
    algorithm({ ContainerArguments: ['x'] }),
    /The local SageMaker service does not support/,
  ],
  [
    'a channel in shards, which only this service rejects',
    {
      InputDataConfig: [
        channel({
          DataSource: {
            S3DataSource: {
              S3DataType: 'S3Prefix',
              S3Uri: 's3://b/in/',
              S3DataDistributionType: 'ShardedByS3Key',
            },
          },
        }),
      ],
    },
    /The local SageMaker service does not support ShardedByS3Key/,
  ],
  [
    'a member that it would have to ignore',
    { RetryStrategy: { MaximumRetryAttempts: 2 } },
    /The local SageMaker service does not support RetryStrategy: leave it out/,
  ],
  [
    'checkpoints elsewhere, which only this service rejects',
    { CheckpointConfig: { S3Uri: 's3://b/c', LocalPath: '/data' } },
    /The local SageMaker service does not support/,
  ],
])('CreateTrainingJob rejects %s', async (_, changes, message) => {
  const request = { ...trainingRequest('rejected'), ...changes };
  // Pipe mode is only relevant for a channel.
  const InputDataConfig = 'InputDataConfig' in changes ? {} : { InputDataConfig: [channel({})] };
  const answer = await post('CreateTrainingJob', { ...request, ...InputDataConfig });
  expect(answer).toEqual(validation(message));
});

const transform = {
  TransformJobName: 'rejected',
  ModelName: 'nobody',
  TransformInput: { DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: 's3://b/in/' } } },
  TransformOutput: { S3OutputPath: 's3://b/out/' },
  TransformResources: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1 },
};
const transformOn = (changes: object) => ({
  TransformResources: { ...transform.TransformResources, ...changes },
});

test.each<[string, object, RegExp]>([
  [
    'outputs that are assembled',
    { TransformOutput: { ...transform.TransformOutput, AssembleWith: 'Line' } },
    /does not support AssembleWith Line/,
  ],
  [
    'a member that it would have to ignore',
    { DataCaptureConfig: { DestinationS3Uri: 's3://b/c' } },
    /does not support DataCaptureConfig: leave it out/,
  ],
  [
    'a GPU family that transform does not support',
    transformOn({ InstanceType: 'ml.p4d.24xlarge' }),
    /'transformResources.instanceType'.*enum/,
  ],
  [
    'AugmentedManifestFile',
    {
      TransformInput: {
        DataSource: { S3DataSource: { S3DataType: 'AugmentedManifestFile', S3Uri: 's3://b/in/' } },
      },
    },
    /AugmentedManifestFile is not supported for batch transform/,
  ],
  [
    '17 environment variables',
    { Environment: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`K${i}`, ''])) },
    /'environment'.*16/,
  ],
  [
    'four retries',
    { ModelClientConfig: { InvocationsMaxRetries: 4 } },
    /'modelClientConfig.invocationsMaxRetries'/,
  ],
  [
    'a stopping condition',
    { StoppingCondition: { MaxRuntimeInSeconds: 60 } },
    /Member 'StoppingCondition' at '' is unknown/,
  ],
  ['too much in flight', { MaxConcurrentTransforms: 20, MaxPayloadInMB: 6 }, /20 \* 6 = 120/],
  [
    'a volume key on NVMe',
    transformOn({ InstanceType: 'ml.g4dn.xlarge', VolumeKmsKeyId: 'key' }),
    /not supported for instance type ml.g4dn.xlarge/,
  ],
  ['101 instances', transformOn({ InstanceCount: 101 }), /at most 100/],
  [
    'a model that does not exist',
    {},
    /Could not find model "arn:aws:sagemaker:us-east-1:000000000000:model\/nobody"/,
  ],
])('CreateTransformJob rejects %s', async (_, changes, message) => {
  expect(await post('CreateTransformJob', { ...transform, ...changes })).toEqual(validation(message));
});

const model = { ModelName: 'rejected', ExecutionRoleArn: ROLE };

test.each<[string, object, RegExp]>([
  ['no container', {}, /either PrimaryContainer or Containers/],
  ['no image', { PrimaryContainer: {} }, /needs Image/],
  [
    'no role',
    { ExecutionRoleArn: undefined, PrimaryContainer: { Image: 'i' } },
    /ExecutionRoleArn is required/,
  ],
  [
    'model data that is not a tar.gz',
    { PrimaryContainer: { Image: 'i', ModelDataUrl: 's3://b/model/' } },
    /\.tar\.gz/,
  ],
  [
    'an environment over 32 KB',
    {
      PrimaryContainer: {
        Image: 'i',
        Environment: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`K${i}`, 'x'.repeat(1024)])),
      },
    },
    /at most 32768/,
  ],
])('CreateModel rejects %s', async (_, changes, message) => {
  expect(await post('CreateModel', { ...model, ...changes })).toEqual(validation(message));
});

test('missing jobs give the error that SageMaker returns, not the one that its model declares', async () => {
  for (const operation of ['DescribeTrainingJob', 'StopTrainingJob', 'DeleteTrainingJob']) {
    expect(await post(operation, { TrainingJobName: 'x' })).toEqual(
      validation(/^Requested resource not found\.$/),
    );
  }
  for (const operation of ['DescribeTransformJob', 'StopTransformJob']) {
    expect(await post(operation, { TransformJobName: 'x' })).toEqual(
      validation(/^Could not find .* with name: x$/),
    );
  }
  expect(await post('DescribeModel', { ModelName: 'x' })).toEqual(validation(/^Could not find model/));
  const ResourceArn = 'arn:aws:sagemaker:us-east-1:000000000000:training-job/x';
  expect(await post('ListTags', { ResourceArn })).toEqual(validation(/^Could not find resource/));
});

test('wrong types, invalid JSON and unknown operations have their own error names', async () => {
  const hyperParameters = { ...trainingRequest('rejected'), HyperParameters: { steps: 3 } };
  expect(await post('CreateTrainingJob', hyperParameters)).toMatchObject({
    status: 400,
    __type: 'SerializationException',
  });
  expect(await post('CreateTrainingJob', '{')).toMatchObject({
    status: 400,
    __type: 'SerializationException',
  });
  expect(await post('CreateEndpoint', {})).toMatchObject({
    status: 400,
    __type: 'UnknownOperationException',
  });
  expect((await fetch(service.endpoint)).status).toBe(400);
});

test('the extracted model is complete: every operation supported, every shape reachable, every pattern valid', () => {
  expect(Object.keys(operations).sort()).toEqual(Object.keys(apiModel.operations).sort());
  for (const shape of Object.values(apiModel.shapes)) {
    const named = [...Object.values(shape.members ?? {}), shape.member, shape.key, shape.value];
    for (const name of named) if (name) expect(apiModel.shapes[name]).toBeDefined();
    if (shape.pattern) expect(() => anchored(shape.pattern ?? '')).not.toThrow();
  }
  expect(() => checkRequest('CreateTrainingJob', trainingRequest('valid'))).not.toThrow();
});
