/** Other requests that SageMaker rejects are rejected here, with the same error name. None of them reaches S3. */
import { apiModel } from '../../../lib/local/sagemaker/model/shapes.ts';
import { anchored, checkRequest } from '../../../lib/local/sagemaker/model/validate.ts';
import { operations } from '../../../lib/local/sagemaker/operations/index.ts';
import { openRequests, type Requests, validation } from './requests.ts';
import { ROLE, trainingRequest } from './support.ts';

let requests: Requests;

beforeAll(async () => {
  requests = await openRequests();
});
afterAll(() => requests.close());

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
  expect(await requests.post('CreateTransformJob', { ...transform, ...changes })).toEqual(
    validation(message),
  );
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
  expect(await requests.post('CreateModel', { ...model, ...changes })).toEqual(validation(message));
});

test('missing jobs give the error that SageMaker returns, not the one that its model declares', async () => {
  for (const operation of ['DescribeTrainingJob', 'StopTrainingJob', 'DeleteTrainingJob']) {
    expect(await requests.post(operation, { TrainingJobName: 'x' })).toEqual(
      validation(/^Requested resource not found\.$/),
    );
  }
  for (const operation of ['DescribeTransformJob', 'StopTransformJob']) {
    expect(await requests.post(operation, { TransformJobName: 'x' })).toEqual(
      validation(/^Could not find .* with name: x$/),
    );
  }
  expect(await requests.post('DescribeModel', { ModelName: 'x' })).toEqual(
    validation(/^Could not find model/),
  );
  const ResourceArn = 'arn:aws:sagemaker:us-east-1:000000000000:training-job/x';
  expect(await requests.post('ListTags', { ResourceArn })).toEqual(validation(/^Could not find resource/));
});

test('wrong types, invalid JSON and unknown operations have their own error names', async () => {
  const hyperParameters = { ...trainingRequest('rejected'), HyperParameters: { steps: 3 } };
  expect(await requests.post('CreateTrainingJob', hyperParameters)).toMatchObject({
    status: 400,
    __type: 'SerializationException',
  });
  expect(await requests.post('CreateTrainingJob', '{')).toMatchObject({
    status: 400,
    __type: 'SerializationException',
  });
  expect(await requests.post('CreateEndpoint', {})).toMatchObject({
    status: 400,
    __type: 'UnknownOperationException',
  });
  expect((await fetch(requests.endpoint)).status).toBe(400);
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
