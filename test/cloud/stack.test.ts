/** The templates: the guaranteed properties of the resources. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { LAMBDA_NAMES } from '../../lib/cloud/lambda-names.ts';
import { instance } from '../../lib/core/catalogue/instances.ts';
import { jobPrefix } from '../../lib/core/names.ts';
import {
  cdkJson,
  plain,
  removeTemporary,
  resourcesOf,
  type Synthesis,
  synthesize,
  type Template,
  theOnly,
} from './synthesize.ts';

/** Both templates as one; no logical id is in both. */
function resourcesOfBoth({ template, data }: Synthesis): Template {
  const { Resources, Outputs } = template;
  return { Outputs, Resources: { ...data.Resources, ...Resources } };
}

const inAccount = synthesize();
const local = resourcesOfBoth(synthesize({ target: 'local' }));
const account = resourcesOfBoth(inAccount);
const production = resourcesOfBoth(synthesize({ environment: 'production' }));

afterAll(removeTemporary);

/** The only types that a local emulator has to support: no custom resource, no nested stack. */
const TYPES = [
  'AWS::CloudWatch::Alarm',
  'AWS::DynamoDB::Table',
  'AWS::ECR::Repository',
  'AWS::Events::Rule',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::Function',
  'AWS::Lambda::Permission',
  'AWS::Lambda::Version',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::Queue',
  'AWS::SQS::QueuePolicy',
  'AWS::StepFunctions::StateMachine',
];

const typesOf = (template: Template) =>
  [...new Set(Object.values(template.Resources).map(({ Type }) => Type))].sort();

test('cdk.json has exactly the recommended feature flags, and the CDK’s telemetry off', () => {
  expect(cdkJson().context).toEqual({ ...flags, 'cli-telemetry': false });
});

test('uses the same plain resource types in an account and locally', () => {
  expect(typesOf(local)).toEqual(TYPES);
  expect(typesOf(account)).toEqual(TYPES);
});

test('both targets have the same resources under the same names', () => {
  // The id of a version ends in a digest of the lambda's settings, which differ.
  const ids = ({ Resources }: Template) =>
    Object.keys(Resources).map((id) => id.replace(/(CurrentVersion[0-9A-F]{8})[0-9a-f]+$/, '$1'));
  expect(ids(local).sort()).toEqual(ids(account).sort());
});

test('the data has a stack of its own, which the other one refers to without imports', () => {
  const ids = (template: Template) => Object.keys(template.Resources);
  expect(ids(inAccount.data).filter((id) => ids(inAccount.template).includes(id))).toEqual([]);
  expect([...new Set(Object.values(inAccount.data.Resources).map(({ Type }) => Type))].sort()).toEqual([
    'AWS::DynamoDB::Table',
    'AWS::ECR::Repository',
    'AWS::S3::Bucket',
    'AWS::S3::BucketPolicy',
    'AWS::SNS::Topic',
    'AWS::SNS::TopicPolicy',
  ]);
  expect(Object.keys(inAccount.data.Outputs)).toEqual(['BucketName', 'TableName', 'TopicArn']);
  const written = ['Proxytune-Data', 'Proxytune']
    .map((stack) => readFileSync(join(inAccount.outdir, `${stack}.template.json`), 'utf8'))
    .join('');
  expect(written).toContain('Fn::GetStackOutput');
  expect(written).not.toMatch(/"Export"|Fn::ImportValue/);
  const { artifacts } = JSON.parse(readFileSync(join(inAccount.outdir, 'manifest.json'), 'utf8'));
  expect(artifacts.Proxytune.dependencies).toContain('Proxytune-Data');
});

test('the same settings give the same templates, byte for byte', () => {
  const settings = { bucketName: 'left-behind', jobLogRetentionDays: '30' };
  const [first, second] = [synthesize(settings), synthesize(settings)].map(({ outdir }) =>
    ['Proxytune-Data', 'Proxytune'].map((stack) =>
      readFileSync(join(outdir, `${stack}.template.json`), 'utf8'),
    ),
  );
  expect(second).toEqual(first);
});

test('the bucket is versioned, encrypted, private, TLS-only and sends events to EventBridge', () => {
  expect(theOnly(account, 'AWS::S3::Bucket').Properties).toMatchObject({
    VersioningConfiguration: { Status: 'Enabled' },
    BucketEncryption: {
      ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    },
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
    NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } },
  });
  const rules = theOnly(account, 'AWS::S3::Bucket').Properties.LifecycleConfiguration.Rules;
  expect(rules).toContainEqual(
    expect.objectContaining({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 } }),
  );
  const denied = theOnly(account, 'AWS::S3::BucketPolicy').Properties.PolicyDocument.Statement.filter(
    ({ Effect }: { Effect: string }) => Effect === 'Deny',
  );
  expect(denied).toContainEqual(
    expect.objectContaining({ Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
  );
});

test('photos and results outlive the stack unless the settings say otherwise', () => {
  expect(theOnly(account, 'AWS::S3::Bucket').DeletionPolicy).toBe('Retain');
  expect(theOnly(synthesize({ removeData: 'true' }).data, 'AWS::S3::Bucket').DeletionPolicy).toBe('Delete');
});

/** The types whose resources hold what nothing else has; the other ones can be created again from the template. */
const STATEFUL = [
  'AWS::DynamoDB::Table',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::SNS::Topic',
  'AWS::SQS::Queue',
];
const STATELESS =
  /::(Alarm|Rule|Policy|Role|EventInvokeConfig|Function|Version|Permission|\w+Policy|StateMachine|Repository)$/;

test('in production nothing with a state is deleted with its stack or replaced, whatever the other settings', () => {
  const synthesis = synthesize({ environment: 'production', removeData: 'true' });
  const resources = Object.entries(resourcesOfBoth(synthesis).Resources);
  const kept = resources.filter(([, { Type }]) => STATEFUL.includes(Type));
  expect(kept.length).toBeGreaterThan(10);
  for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of kept) {
    expect([id, DeletionPolicy, UpdateReplacePolicy]).toEqual([id, 'Retain', 'Retain']);
  }
  const others = resources.filter(([, { Type }]) => !STATEFUL.includes(Type));
  expect(others.map(([, { Type }]) => Type).filter((type) => !STATELESS.test(type))).toEqual([]);
  expect(synthesis.stacks.data.terminationProtection).toBe(true);
  expect(synthesis.stacks.compute.terminationProtection).toBe(true);
});

test('in development everything but the bucket is deleted with its stack', () => {
  const resources = Object.entries(account.Resources);
  const kept = resources.filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain');
  // A version outlives the next deployment, and is deleted with its function.
  const types = kept.map(([, { Type }]) => Type).filter((type) => type !== 'AWS::Lambda::Version');
  expect(types).toEqual(['AWS::S3::Bucket']);
});

test('alarms notify of each new failure, and are over five minutes later', () => {
  const alarms = resourcesOf(account, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  expect(alarms.map(({ MetricName }) => MetricName).sort()).toEqual([
    'ExecutionsFailed',
    'ExecutionsTimedOut',
    'NumberOfMessagesSent',
  ]);
  const [topicId] = resourcesOf(account, 'AWS::SNS::Topic')[0] ?? [];
  for (const alarm of alarms) {
    expect(alarm).toMatchObject({
      Period: 300,
      Statistic: 'Sum',
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: 1,
      TreatMissingData: 'notBreaching',
    });
    expect(alarm.AlarmActions.map(plain)).toEqual([`<${topicId}>`]);
  }
  const [machineId] = resourcesOf(account, 'AWS::StepFunctions::StateMachine')[0] ?? [];
  const watched = alarms.filter(({ Namespace }) => Namespace === 'AWS/States');
  for (const { Dimensions } of watched) {
    expect(Dimensions).toEqual([{ Name: 'StateMachineArn', Value: { Ref: machineId } }]);
  }
});

test('the log of the machine has the name for which AWS needs no policy of the account, unique to the stack', () => {
  const machine = theOnly(account, 'AWS::StepFunctions::StateMachine').Properties;
  const destination = machine.LoggingConfiguration.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn;
  const [id] = plain(destination).match(/(?<=<)\w+(?=\.Arn>)/) ?? [];
  const name = account.Resources[id ?? '']?.Properties.LogGroupName;
  expect(name['Fn::Join'][1][0]).toBe('/aws/vendedlogs/states/Proxytune-');
  expect(name['Fn::Join'][1][1]).toEqual({
    'Fn::Select': [2, { 'Fn::Split': ['/', { Ref: 'AWS::StackId' }] }],
  });
});

test('the table is billed per request and has point-in-time recovery', () => {
  expect(theOnly(production, 'AWS::DynamoDB::Table').Properties).toMatchObject({
    BillingMode: 'PAY_PER_REQUEST',
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
  });
});

test('every log has the retention of the settings', () => {
  const { template } = synthesize({ logRetentionDays: '7' });
  const logs = resourcesOf(template, 'AWS::Logs::LogGroup');
  expect(logs).toHaveLength(resourcesOf(template, 'AWS::Lambda::Function').length + 1);
  for (const [, { Properties }] of logs) expect(Properties.RetentionInDays).toBe(7);
});

test('every lambda is Node 24 on x86-64 and has its own log group', () => {
  const groups = resourcesOf(account, 'AWS::Lambda::Function').map(([, { Properties }]) => {
    expect(Properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['x86_64'],
      Handler: 'index.handler',
    });
    return plain(Properties.LoggingConfig.LogGroup);
  });
  expect(new Set(groups).size).toBe(LAMBDA_NAMES.length);
});

test('every rule has a dead-letter queue', () => {
  const [queueId, queue] = resourcesOf(account, 'AWS::SQS::Queue')[0] ?? [];
  expect(queue?.Properties).toMatchObject({
    MessageRetentionPeriod: 14 * 24 * 3600,
    SqsManagedSseEnabled: true,
  });
  const rules = resourcesOf(account, 'AWS::Events::Rule');
  expect(rules).toHaveLength(4);
  for (const [, { Properties }] of rules) {
    expect(Properties.Targets).toHaveLength(1);
    expect(plain(Properties.Targets[0].DeadLetterConfig.Arn)).toBe(`<${queueId}.Arn>`);
  }
  // For events that were delivered but failed three times in the lambda.
  const invokes = resourcesOf(account, 'AWS::Lambda::EventInvokeConfig');
  expect(invokes).toHaveLength(3);
  for (const [, { Properties }] of invokes) {
    expect(plain(Properties.DestinationConfig.OnFailure.Destination)).toBe(`<${queueId}.Arn>`);
  }
});

test('rules match exactly the events of Proxytune', () => {
  const patterns = resourcesOf(account, 'AWS::Events::Rule').map(
    ([, { Properties }]) => Properties.EventPattern,
  );
  const byType = Object.fromEntries(patterns.map((pattern) => [pattern['detail-type'][0], pattern]));
  const [bucketId] = resourcesOf(account, 'AWS::S3::Bucket')[0] ?? [];
  const [machineId] = resourcesOf(account, 'AWS::StepFunctions::StateMachine')[0] ?? [];
  expect(byType).toEqual({
    'Object Created': {
      source: ['aws.s3'],
      'detail-type': ['Object Created'],
      detail: {
        bucket: { name: [{ Ref: bucketId }] },
        object: { key: [{ wildcard: 'subjects/*/subject.json' }] },
      },
    },
    'SageMaker Training Job State Change': {
      source: ['aws.sagemaker'],
      'detail-type': ['SageMaker Training Job State Change'],
      detail: { TrainingJobName: [{ prefix: jobPrefix('Proxytune') }] },
    },
    'SageMaker Transform Job State Change': {
      source: ['aws.sagemaker'],
      'detail-type': ['SageMaker Transform Job State Change'],
      detail: { TransformJobName: [{ prefix: jobPrefix('Proxytune') }] },
    },
    'Step Functions Execution Status Change': {
      source: ['aws.states'],
      'detail-type': ['Step Functions Execution Status Change'],
      detail: { stateMachineArn: [{ Ref: machineId }], status: ['FAILED', 'TIMED_OUT', 'ABORTED'] },
    },
  });
});

test('topic and queue accept encrypted connections only', () => {
  for (const type of ['AWS::SNS::TopicPolicy', 'AWS::SQS::QueuePolicy']) {
    expect(JSON.stringify(theOnly(account, type).Properties.PolicyDocument)).toContain(
      '"Condition":{"Bool":{"aws:SecureTransport":"false"}}',
    );
  }
});

test('no image is built locally, and the settings choose the models', () => {
  const environmentOf = (template: Template, key: string) =>
    resourcesOf(template, 'AWS::Lambda::Function')
      .map(([, { Properties }]) => Properties.Environment?.Variables?.[key])
      .find((value) => value !== undefined);
  expect(plain(environmentOf(local, 'IMAGE_URI'))).toMatch(/\.dkr\.ecr\..*\/proxytune-[0-9a-z]{4}:local$/);
  expect(environmentOf(local, 'MODEL_SCALE')).toBe('tiny');
  expect(plain(environmentOf(account, 'IMAGE_URI'))).toContain('.dkr.ecr.');
  expect(environmentOf(account, 'MODEL_SCALE')).toBe('full');
  const limited = synthesize({ instanceTypes: 'ml.g6.2xlarge,ml.g4dn.xlarge' }).template;
  expect(environmentOf(limited, 'INSTANCE_TYPES')).toBe('ml.g6.2xlarge,ml.g4dn.xlarge');
});

test('the outputs have commands to paste', () => {
  expect(Object.keys(account.Outputs).sort()).toEqual([
    'BucketName',
    'FetchReportCommand',
    'ImageUri',
    'ImportRoleArn',
    'JobPrefix',
    'JobRoleArn',
    'StartCommand',
    'StateMachineArn',
    'SubscribeCommand',
    'TableName',
    'TokenSecretName',
    'TopicArn',
    'UploadPhotosCommand',
    'WatchCommand',
  ]);
  const [bucketId] = resourcesOf(account, 'AWS::S3::Bucket')[0] ?? [];
  expect(plain(account.Outputs.StartCommand?.Value)).toBe(
    `aws s3 cp subject.json s3://<${bucketId}>/subjects/my-dog/subject.json`,
  );
});

test('tags name the stack and the environment', () => {
  for (const type of ['AWS::S3::Bucket', 'AWS::Lambda::Function', 'AWS::StepFunctions::StateMachine']) {
    for (const [, { Properties }] of resourcesOf(production, type)) {
      expect(Properties.Tags).toContainEqual({ Key: 'proxytune:environment', Value: 'production' });
      expect(Properties.Tags).toContainEqual({ Key: 'proxytune:stack', Value: 'Proxytune' });
    }
  }
});

test('a second stack can have another name', () => {
  const { data, compute } = synthesize({ name: 'Second' }).stacks;
  expect([data.stackName, compute.stackName]).toEqual(['Second-Data', 'Second']);
});

test('only the instance types of the settings can be started', () => {
  const types = ['ml.g5.xlarge', 'ml.m5.large'];
  expect(types.every((type) => instance(type).training)).toBe(true);
  const { template } = synthesize({ instanceTypes: types.join(',') });
  const policies = JSON.stringify(resourcesOf(template, 'AWS::IAM::Policy'));
  expect(policies).toContain(`"sagemaker:InstanceTypes":${JSON.stringify(types)}`);
  expect(policies).not.toContain('ml.g6');
});
