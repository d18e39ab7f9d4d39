/** Our SageMaker asks for the permissions that AWS's asks for, of the caller and of the job's role. */
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import {
  AddTagsCommand,
  CreateModelCommand,
  CreateTrainingJobCommand,
  type CreateTrainingJobCommandInput,
  CreateTransformJobCommand,
  DescribeTrainingJobCommand,
  DescribeTransformJobCommand,
  ListTrainingJobsCommand,
  StopTransformJobCommand,
} from '@aws-sdk/client-sagemaker';
import { eventually } from '../emulator/helpers.ts';
import { ACCOUNT, allow, BUCKET, errorOf, JudgingCloud, sentence } from './cloud.ts';

const ARN = `arn:aws:sagemaker:us-east-1:${ACCOUNT}`;
const IMAGE = `${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/proxytune:local`;
const role = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const DATA = `arn:aws:s3:::${BUCKET}`;

let cloud: JudgingCloud;
beforeAll(async () => {
  cloud = await JudgingCloud.start();
  await cloud.put('in/a.txt', 'a');
}, 60_000);
afterAll(() => cloud.close());

function training(name: string, roleName: string, changes: Partial<CreateTrainingJobCommandInput> = {}) {
  return new CreateTrainingJobCommand({
    TrainingJobName: name,
    RoleArn: role(roleName),
    AlgorithmSpecification: { TrainingImage: IMAGE, TrainingInputMode: 'File' },
    InputDataConfig: [
      {
        ChannelName: 'in',
        DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `s3://${BUCKET}/in/` } },
      },
    ],
    OutputDataConfig: { S3OutputPath: `s3://${BUCKET}/out` },
    ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1, VolumeSizeInGB: 30 },
    StoppingCondition: { MaxRuntimeInSeconds: 60 },
    EnableNetworkIsolation: true,
    Tags: [{ Key: 'run', Value: 'one' }],
    ...changes,
  });
}

/** The needs of a job's role. */
const PULL = [
  allow('ecr:GetAuthorizationToken'),
  allow(
    ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
    `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/proxytune`,
  ),
];
const READ = [allow('s3:ListBucket', DATA), allow('s3:GetObject', `${DATA}/in/*`)];
const WRITE = [allow('s3:PutObject', `${DATA}/out/*`)];

const CREATE = allow('sagemaker:CreateTrainingJob', `${ARN}:training-job/ours-*`, {
  Condition: {
    'ForAllValues:StringEquals': { 'sagemaker:InstanceTypes': ['ml.g5.xlarge', 'ml.g5.2xlarge'] },
    NumericLessThanEquals: { 'sagemaker:MaxRuntimeInSeconds': 60 },
    Bool: { 'sagemaker:NetworkIsolation': 'true' },
    StringEquals: { 'aws:RequestTag/run': 'one' },
  },
});
const TAG = allow('sagemaker:AddTags', `${ARN}:training-job/ours-*`);
const PASS = allow('iam:PassRole', role('good-job'), {
  Condition: { StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' } },
});

describe('the caller', () => {
  test.each([
    ['another name', 'theirs', {}, 'sagemaker:CreateTrainingJob'],
    [
      'another instance',
      'ours-1',
      { ResourceConfig: { InstanceType: 'ml.g5.4xlarge', InstanceCount: 1, VolumeSizeInGB: 1 } },
      'sagemaker:CreateTrainingJob',
    ],
    [
      'more time',
      'ours-1',
      { StoppingCondition: { MaxRuntimeInSeconds: 61 } },
      'sagemaker:CreateTrainingJob',
    ],
    ['a network', 'ours-1', { EnableNetworkIsolation: false }, 'sagemaker:CreateTrainingJob'],
    ['an unset isolation', 'ours-1', { EnableNetworkIsolation: undefined }, 'sagemaker:CreateTrainingJob'],
    ['another tag', 'ours-1', { Tags: [{ Key: 'run', Value: 'two' }] }, 'sagemaker:CreateTrainingJob'],
    ['another role', 'ours-1', { RoleArn: role('admin') }, 'iam:PassRole'],
  ] as const)('may not create a training with %s', async (_, name, changes, action) => {
    await cloud.role('good-job', 'sagemaker.amazonaws.com').catch(() => undefined);
    const { sagemaker } = await cloud.as(`starter-${Math.random().toString(36).slice(2)}`, CREATE, TAG, PASS);
    const error = await errorOf(
      sagemaker.send(training(name, 'good-job', changes as Partial<CreateTrainingJobCommandInput>)),
    );
    expect(error).toMatch(/^AccessDeniedException: User: arn:aws:sts::/);
    expect(error).toContain(`is not authorized to perform: ${action} on resource: `);
  });

  test.each([
    ['sagemaker:AddTags', [CREATE, PASS]],
    ['iam:PassRole', [CREATE, TAG]],
  ])('needs %s as well', async (action, statements) => {
    const name = `without-${action.split(':')[1]}`;
    const { sagemaker } = await cloud.as(name, ...statements);
    const resource = action === 'iam:PassRole' ? role('good-job') : `${ARN}:training-job/ours-2`;
    expect(await errorOf(sagemaker.send(training('ours-2', 'good-job')))).toBe(
      `AccessDeniedException: ${sentence(name, { action, resource })}`,
    );
  });

  test('may create a transform only if both the job and the model are allowed', async () => {
    await cloud.role('any-job', 'sagemaker.amazonaws.com');
    const container = { Image: IMAGE };
    const model = { ModelName: 'ours-m', ExecutionRoleArn: role('any-job'), PrimaryContainer: container };
    await cloud.own.sagemaker.send(new CreateModelCommand(model));
    const { sagemaker } = await cloud.as(
      'transformer',
      allow('sagemaker:CreateTransformJob', `${ARN}:transform-job/ours-*`),
    );
    const request = new CreateTransformJobCommand({
      TransformJobName: 'ours-t',
      ModelName: 'ours-m',
      TransformInput: {
        DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: `s3://${BUCKET}/in/` } },
      },
      TransformOutput: { S3OutputPath: `s3://${BUCKET}/out` },
      TransformResources: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1 },
    });
    const missing = { action: 'sagemaker:CreateTransformJob', resource: `${ARN}:model/ours-m` };
    expect(await errorOf(sagemaker.send(request))).toBe(
      `AccessDeniedException: ${sentence('transformer', missing)}`,
    );
  });

  test('needs the permission before the answer that a job does not exist', async () => {
    const { sagemaker } = await cloud.as(
      'reader',
      allow('sagemaker:DescribeTrainingJob', `${ARN}:training-job/a`),
    );
    const describeJob = (TrainingJobName: string) =>
      errorOf(sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName })));
    expect(await describeJob('a')).toBe('ValidationException: Requested resource not found.');
    const denied = { action: 'sagemaker:DescribeTrainingJob', resource: `${ARN}:training-job/b` };
    expect(await describeJob('b')).toBe(`AccessDeniedException: ${sentence('reader', denied)}`);
    expect(await errorOf(sagemaker.send(new ListTrainingJobsCommand({})))).toContain(
      'on resource: * because no identity-based policy allows the sagemaker:ListTrainingJobs action',
    );
    const tags = new AddTagsCommand({ ResourceArn: `${ARN}:training-job/a`, Tags: [] });
    expect(await errorOf(sagemaker.send(tags))).toContain('perform: sagemaker:AddTags');
  });

  test('has to sign with its own secret', async () => {
    const role = await cloud.role('signer', 'lambda.amazonaws.com', allow('sagemaker:*'));
    const source = `arn:aws:lambda:us-east-1:${ACCOUNT}:function:signer`;
    const keys = await cloud.authorizer.session({ service: 'lambda.amazonaws.com', role, source }, 'signer');
    const list = (changes: object) =>
      errorOf(cloud.clients({ ...keys, ...changes }).sagemaker.send(new ListTrainingJobsCommand({})));
    expect(await list({})).toBeUndefined();
    expect(await list({ secretAccessKey: 'guessed' })).toMatch(/^(InvalidSignature|SignatureDoesNotMatch)/);
    expect(await list({ sessionToken: 'guessed' })).toMatch(/token/i);
    expect(await list({ accessKeyId: 'AKIASTRANGER' })).toMatch(/UnrecognizedClient|InvalidClientTokenId/);
  });
});

describe("the job's role", () => {
  const run = async (name: string, ...statements: object[]) => {
    await cloud.role(name, 'sagemaker.amazonaws.com', ...statements);
    return errorOf(cloud.own.sagemaker.send(training(`job-${name}`, name)));
  };

  test('has to trust SageMaker', async () => {
    await cloud.role('for-lambda', 'lambda.amazonaws.com', ...PULL, ...READ, ...WRITE);
    expect(await errorOf(cloud.own.sagemaker.send(training('job-0', 'for-lambda')))).toMatch(
      /^ValidationException: Could not assume role .*for-lambda\. Please ensure that the role exists and allows/,
    );
  });

  test('has to read the data, which is checked when the job is created', async () => {
    expect(await run('no-list', ...PULL, ...WRITE)).toMatch(
      /^ValidationException: No S3 objects found.*role has "s3:ListBucket"/,
    );
  });

  test.each([
    ['no-pull', [...READ, ...WRITE], /^ClientError: Cannot pull the container's image/],
    ['no-read', [...PULL, READ[0], ...WRITE], /^ClientError: Data download failed:AccessDenied/],
    ['no-write', [...PULL, ...READ], /^ClientError: Artifact upload failed:AccessDenied/],
  ])('fails the job: %s', async (name, statements, reason) => {
    expect(await run(name, ...(statements as object[]))).toBeUndefined();
    const ended = await cloud.trainingEnd(`job-${name}`);
    expect(ended.status).toBe('Failed');
    expect(ended.reason).toMatch(reason);
  });

  test('is enough for the job, whose log and metrics are lost without their permissions', async () => {
    expect(await run('enough', ...PULL, ...READ, ...WRITE)).toBeUndefined();
    const ended = await cloud.trainingEnd('job-enough');
    expect(ended.status).toBe('Completed');
    expect(ended.log).toContain('is not authorized to perform: logs:CreateLogGroup on resource: ');
    expect(ended.log).toContain('is not authorized to perform: cloudwatch:PutMetricData on resource: *');
    // Its container is isolated.
    expect(ended.log).toContain('KEY none');
  });

  test('is what a container with a network has', async () => {
    await cloud.role('connected', 'sagemaker.amazonaws.com', ...PULL, ...READ, ...WRITE);
    await cloud.own.sagemaker.send(training('job-connected', 'connected', { EnableNetworkIsolation: false }));
    const { status, log } = await cloud.trainingEnd('job-connected');
    expect(status).toBe('Completed');
    expect(log).toMatch(/KEY ASIA/);
  });

  test('needs no permission to delete for a transform that is stopped, whose outputs are not stored', async () => {
    await cloud.put('chunks/a.json', 'fine');
    await cloud.put('chunks/b.json', 'sleep 20');
    const read = [allow('s3:ListBucket', DATA), allow('s3:GetObject', `${DATA}/chunks/*`)];
    await cloud.role('stopped', 'sagemaker.amazonaws.com', ...PULL, ...read, ...WRITE);
    const { sagemaker, s3 } = cloud.own;
    const container = { Image: IMAGE };
    const model = { ModelName: 'stopped', ExecutionRoleArn: role('stopped'), PrimaryContainer: container };
    await sagemaker.send(new CreateModelCommand(model));
    const TransformJobName = 'job-stopped';
    const S3DataSource = { S3DataType: 'S3Prefix' as const, S3Uri: `s3://${BUCKET}/chunks/` };
    await sagemaker.send(
      new CreateTransformJobCommand({
        TransformJobName,
        ModelName: 'stopped',
        TransformInput: { DataSource: { S3DataSource } },
        TransformOutput: { S3OutputPath: `s3://${BUCKET}/out/stopped` },
        TransformResources: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1 },
      }),
    );
    const outputs = async () =>
      (await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'out/stopped/' }))).KeyCount ?? 0;
    await eventually(async () => (await outputs()) > 0 || undefined);
    await sagemaker.send(new StopTransformJobCommand({ TransformJobName }));
    await eventually(async () => {
      const described = await sagemaker.send(new DescribeTransformJobCommand({ TransformJobName }));
      return described.TransformJobStatus === 'Stopped' || undefined;
    }, 15);
    expect(await outputs()).toBe(0);
  }, 60_000);

  test('is in the trace with everything that was judged', async () => {
    const calls = cloud
      .trace()
      .filter(({ principal }) => 'role' in principal && principal.role === role('enough'));
    expect(new Set(calls.map(({ action }) => action))).toEqual(
      new Set([
        ...['ecr:GetAuthorizationToken', 'ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage'],
        ...['ecr:GetDownloadUrlForLayer', 'logs:CreateLogGroup', 'logs:DescribeLogStreams'],
        ...['logs:CreateLogStream', 'logs:PutLogEvents', 'cloudwatch:PutMetricData'],
        ...['s3:ListBucket', 's3:GetObject', 's3:PutObject'],
      ]),
    );
    expect(calls.find(({ action }) => action === 'cloudwatch:PutMetricData')).toMatchObject({
      resource: '*',
      context: { 'cloudwatch:namespace': '/aws/sagemaker/TrainingJobs' },
      judgedBy: 'identity',
      decision: 'ImplicitDeny',
    });
    expect(calls.find(({ action }) => action === 's3:ListBucket')?.context).toMatchObject({
      's3:prefix': 'in/',
      's3:tlsversion': '1.3',
      'aws:securetransport': 'true',
    });
    const trust = cloud.trace().find(({ resource }) => resource === role('enough'));
    expect(trust).toMatchObject({
      principal: { service: 'sagemaker.amazonaws.com' },
      action: 'sts:AssumeRole',
      context: { 'aws:sourcearn': `${ARN}:training-job/job-enough`, 'aws:sourceaccount': ACCOUNT },
      judgedBy: 'trust',
      decision: 'Allow',
    });
  });
});

test('a request to the emulator is refused in the words of AWS', async () => {
  const { s3 } = await cloud.as('writer', allow('s3:PutObject', `${DATA}/runs/*`));
  const put = (Key: string) => errorOf(s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'x' })));
  expect(await put('runs/a')).toBeUndefined();
  const denied = { action: 's3:PutObject', resource: `"${DATA}/subjects/a"` };
  expect(await put('subjects/a')).toBe(`AccessDenied: ${sentence('writer', denied)}`);
});

test('a missing object is reported only to who may list its key', async () => {
  const { s3 } = await cloud.as(
    'seeker',
    allow('s3:GetObject', `${DATA}/*`),
    allow('s3:ListBucket', DATA, { Condition: { StringLike: { 's3:prefix': 'runs/*' } } }),
  );
  const get = (Key: string) => errorOf(s3.send(new GetObjectCommand({ Bucket: BUCKET, Key })));
  expect(await get('runs/none')).toMatch(/^NoSuchKey/);
  const denied = { action: 's3:ListBucket', resource: `"${DATA}"` };
  expect(await get('models/none')).toBe(`AccessDenied: ${sentence('seeker', denied)}`);
  const head = s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'models/none' }));
  await expect(head).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
});

test('the internal routes answer nobody without the secret of this start', async () => {
  const ask = (headers: Record<string, string>) =>
    fetch(`${cloud.endpoint}/_proxytune/session`, { method: 'POST', headers, body: '{}' });
  expect((await ask({})).status).toBe(403);
  expect((await ask({ 'x-proxytune-secret': 'guessed' })).status).toBe(403);
});
