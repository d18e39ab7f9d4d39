/** Quotas: as Service Quotas lists them, and as they refuse jobs. */
import {
  CreateModelCommand,
  type CreateTrainingJobCommandInput,
  CreateTransformJobCommand,
  StopTrainingJobCommand,
} from '@aws-sdk/client-sagemaker';
import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  ListAWSDefaultServiceQuotasCommand,
  ListServiceQuotasCommand,
  paginateListServiceQuotas,
  type ServiceQuota,
  ServiceQuotasClient,
} from '@aws-sdk/client-service-quotas';
import { instance, instanceTypes } from '../../../lib/core/catalogue/instances.ts';
import { refusal } from '../../../lib/core/jobs/outcome.ts';
import { Bench, BUCKET, ROLE, until } from './support.ts';

let bench: Bench;
let quotas: ServiceQuotasClient;
const G5 = 'ml.g5.xlarge for training job usage';

beforeAll(async () => {
  bench = await Bench.start();
  await bench.startService({ quotas: { [G5]: 1, 'ml.m5.large for transform job usage': 0 } });
  quotas = new ServiceQuotasClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    endpoint: bench.service.endpoint,
    maxAttempts: 1,
  });
}, 60_000);
afterAll(async () => {
  quotas?.destroy();
  await bench?.close();
}, 30_000);

async function listed(): Promise<ServiceQuota[]> {
  const found: ServiceQuota[] = [];
  const pages = paginateListServiceQuotas({ client: quotas, pageSize: 100 }, { ServiceCode: 'sagemaker' });
  for await (const { Quotas = [] } of pages) found.push(...Quotas);
  return found;
}

test('every instance type that a run may use has its quotas, over several pages', async () => {
  const found = await listed();
  const names = found.map(({ QuotaName }) => QuotaName);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(found.map(({ QuotaCode }) => QuotaCode)).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(200);
  for (const type of instanceTypes()) {
    const { training, transform } = instance(type);
    const usages = [
      ...(training ? ['training job', 'spot training job'] : []),
      ...(transform ? ['transform job'] : []),
    ];
    expect(names).toEqual(expect.arrayContaining(usages.map((use) => `${type} for ${use} usage`)));
  }
});

test('a quota has its applied value, its default, and a code by which it is found', async () => {
  const quota = (await listed()).find(({ QuotaName }) => QuotaName === G5);
  expect(quota).toMatchObject({
    ServiceCode: 'sagemaker',
    Value: 1,
    Adjustable: true,
    QuotaArn: `arn:aws:servicequotas:us-east-1:000000000000:sagemaker/${quota?.QuotaCode}`,
  });
  const which = { ServiceCode: 'sagemaker', QuotaCode: quota?.QuotaCode };
  expect((await quotas.send(new GetServiceQuotaCommand(which))).Quota).toEqual(quota);
  const standard = await quotas.send(new GetAWSDefaultServiceQuotaCommand(which));
  expect(standard.Quota).toEqual({ ...quota, Value: 100 });
  expect((await quotas.send(new ListServiceQuotasCommand(which))).Quotas).toEqual([quota]);
  const known = { ServiceCode: 'sagemaker', QuotaCode: 'L-33A961FD' };
  expect((await quotas.send(new GetServiceQuotaCommand(known))).Quota).toMatchObject({
    QuotaName: 'Longest run time for a training job',
    Value: 432_000,
  });
});

test('requests that it cannot answer are refused', async () => {
  const list = { ServiceCode: 'sagemaker' };
  const refused = [
    [new GetServiceQuotaCommand({ ...list, QuotaCode: 'L-00000000' }), 'NoSuchResourceException'],
    [new ListServiceQuotasCommand({ ServiceCode: 'ec2' }), 'NoSuchResourceException'],
    [new ListServiceQuotasCommand({ ...list, MaxResults: 101 }), 'IllegalArgumentException'],
    [new ListServiceQuotasCommand({ ...list, NextToken: 'bm90' }), 'InvalidPaginationTokenException'],
    [new ListServiceQuotasCommand({ ...list, QuotaAppliedAtLevel: 'ACCOUNT' }), 'IllegalArgumentException'],
  ] as const;
  for (const [command, name] of refused) {
    await expect(quotas.send(command as GetServiceQuotaCommand)).rejects.toMatchObject({ name });
  }
  const { Quotas = [], NextToken } = await quotas.send(
    new ListAWSDefaultServiceQuotasCommand({ ...list, MaxResults: 7 }),
  );
  expect(Quotas).toHaveLength(7);
  expect(NextToken).toMatch(/^[a-zA-Z0-9/+]*={0,2}$/);
});

const create = (name: string, changes: Partial<CreateTrainingJobCommandInput> = {}) =>
  bench.createTraining(name, { HyperParameters: { action: 'hang' }, ...changes });

const LIMIT =
  `The account-level service limit '${G5}' is 1 Instances, with current utilization of 1 Instances and a request ` +
  'delta of 1 Instances. Please use AWS Service Quotas';

test('a job above its quota is refused while another uses it, in words that the run understands', async () => {
  await create('first');
  const error = await create('second').catch((caught: Error) => caught);
  expect(error).toMatchObject({ name: 'ResourceLimitExceeded', message: expect.stringContaining(LIMIT) });
  expect(refusal(error as Error)).toMatchObject({ error: 'QuotaBusy' });
  // Spot has a quota of its own.
  await create('spot', {
    EnableManagedSpotTraining: true,
    StoppingCondition: { MaxRuntimeInSeconds: 60, MaxWaitTimeInSeconds: 60 },
  });
  for (const name of ['first', 'spot']) {
    await bench.client.send(new StopTrainingJobCommand({ TrainingJobName: name }));
    await bench.trainingEnd(name);
  }
  await create('second');
});

test('names or quotas are checked first, as the service is set', async () => {
  await until('it runs', async () => (await bench.describeTraining('second')).SecondaryStatus === 'Training');
  await expect(create('second')).rejects.toMatchObject({ name: 'ResourceInUse' });
  bench.service.faults.checkLimitsFirst(true);
  await expect(create('second')).rejects.toMatchObject({
    name: 'ResourceLimitExceeded',
    message: expect.stringContaining(LIMIT),
  });
  bench.service.faults.checkLimitsFirst(false);
  await bench.client.send(new StopTrainingJobCommand({ TrainingJobName: 'second' }));
  await bench.trainingEnd('second');
});

test.each([
  [
    'several instances',
    { ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 2 } },
    /request delta of 2/,
  ],
  [
    'a run time',
    { StoppingCondition: { MaxRuntimeInSeconds: 432_001 } },
    /'Longest run time.*is 432000 Seconds/,
  ],
] as const)('a request for %s above the quota itself is final', async (_, changes, message) => {
  const error = (await create('large', changes as object).catch((caught: Error) => caught)) as Error;
  expect(error).toMatchObject({ name: 'ResourceLimitExceeded', message: expect.stringMatching(message) });
  expect(refusal(error)).toMatchObject({ error: 'QuotaTooLow' });
});

test('transform jobs have quotas too, which can change while the service runs', async () => {
  await bench.put('in/chunk.json', '{}');
  await bench.client.send(
    new CreateModelCommand({ ModelName: 'm', ExecutionRoleArn: ROLE, PrimaryContainer: { Image: 'i' } }),
  );
  const transform = new CreateTransformJobCommand({
    TransformJobName: 't',
    ModelName: 'm',
    TransformInput: { DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `s3://${BUCKET}/in/` } } },
    TransformOutput: { S3OutputPath: `s3://${BUCKET}/out` },
    TransformResources: { InstanceType: 'ml.m5.large', InstanceCount: 1 },
  });
  const error = (await bench.client.send(transform).catch((caught: Error) => caught)) as Error;
  expect(error.message).toContain("'ml.m5.large for transform job usage' is 0 Instances");
  expect(refusal(error)).toMatchObject({ error: 'QuotaTooLow' });
  bench.service.faults.setQuotas({ 'ml.m5.large for transform job usage': 1 });
  await bench.client.send(transform);
  await bench.transformEnd('t');
});

test('a quota that does not exist is a mistake', () => {
  expect(() => bench.service.faults.setQuotas({ 'ml.x9.huge for training job usage': 1 })).toThrow(
    'has no quota',
  );
});

test.each([
  ['ServiceQuotasV20190624.GetServiceQuota', 'null', 'SerializationException'],
  ['ServiceQuotasV20190624.GetServiceQuota', '[]', 'SerializationException'],
  ['ServiceQuotasV20190624.GetServiceQuota', '1', 'SerializationException'],
  ['ServiceQuotasV20190624.__proto__', '{}', 'UnknownOperationException'],
  ['ServiceQuotasV20190624.toString', '{}', 'UnknownOperationException'],
  ['SageMaker.ListModels', 'null', 'SerializationException'],
  ['SageMaker.Faults', 'null', 'SerializationException'],
  ['SageMaker.__proto__', '{}', 'UnknownOperationException'],
  ['SageMaker.toString', '{}', 'UnknownOperationException'],
])('rejects %s with the body %s: %s', async (target, body, type) => {
  const headers = { 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.1' };
  const response = await fetch(bench.service.endpoint, { method: 'POST', headers, body });
  expect(await response.json()).toMatchObject({ __type: type });
  expect(response.status).toBe(400);
});
