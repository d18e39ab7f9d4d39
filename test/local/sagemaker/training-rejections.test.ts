/** Training jobs that SageMaker rejects are rejected here, with the same error name. None of them reaches S3. */
import { openRequests, type Requests, validation } from './requests.ts';
import { trainingRequest } from './support.ts';

let requests: Requests;

beforeAll(async () => {
  requests = await openRequests();
});
afterAll(() => requests.close());

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
  const answer = await requests.post('CreateTrainingJob', { ...request, ...InputDataConfig });
  expect(answer).toEqual(validation(message));
});
