/** The properties that the templates guarantee for each kind of resource. */
import { LAMBDA_NAMES } from '../../lib/cloud/lambda-names.ts';
import { instance } from '../../lib/core/catalogue/instances.ts';
import { jobPrefix } from '../../lib/core/names.ts';
import { plain, removeTemporary, resourcesOf, resourcesOfBoth, synthesize, theOnly } from './synthesize.ts';

const account = resourcesOfBoth(synthesize());
const production = resourcesOfBoth(synthesize({ environment: 'production' }));

afterAll(removeTemporary);

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
  expect(rules).toContainEqual({
    Id: 'intermediates',
    Status: 'Enabled',
    Prefix: 'intermediates/',
    ExpirationInDays: 30,
    NoncurrentVersionExpiration: { NoncurrentDays: 1 },
  });
  // Nothing else expires: adapters, samples and reports are not below that prefix.
  expect(
    rules.filter((rule: { ExpirationInDays?: number }) => rule.ExpirationInDays !== undefined),
  ).toHaveLength(1);
  const denied = theOnly(account, 'AWS::S3::BucketPolicy').Properties.PolicyDocument.Statement.filter(
    ({ Effect }: { Effect: string }) => Effect === 'Deny',
  );
  expect(denied).toContainEqual(
    expect.objectContaining({ Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
  );
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
  expect(rules).toHaveLength(5);
  for (const [, { Properties }] of rules) {
    expect(Properties.Targets).toHaveLength(1);
    expect(plain(Properties.Targets[0].DeadLetterConfig.Arn)).toBe(`<${queueId}.Arn>`);
  }
  // For events that were delivered but failed three times in the lambda.
  const invokes = resourcesOf(account, 'AWS::Lambda::EventInvokeConfig');
  expect(invokes).toHaveLength(4);
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
  const request = (key: readonly object[]) => ({
    source: ['aws.s3'],
    detail: { bucket: { name: [{ Ref: bucketId }] }, object: { key } },
  });
  const names = ['subject.json', 'subject.json.txt', 'subject.json.json', 'subject.txt', 'subject.jsn'];
  const ends = [...names, 'subjects.json', 'subject'].map((name) => ({
    suffix: { 'equals-ignore-case': `/${name}` },
  }));
  expect(byType).toEqual({
    'Object Deleted': {
      ...request([{ wildcard: 'subjects/*/subject.json' }]),
      'detail-type': ['Object Deleted'],
    },
    'Object Created': { ...request(ends), 'detail-type': ['Object Created'] },
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

test('only the instance types of the settings can be started', () => {
  const types = ['ml.g5.xlarge', 'ml.m5.large'];
  expect(types.every((type) => instance(type).training)).toBe(true);
  const { template } = synthesize({ instanceTypes: types.join(',') });
  const policies = JSON.stringify(resourcesOf(template, 'AWS::IAM::Policy'));
  expect(policies).toContain(`"sagemaker:InstanceTypes":${JSON.stringify(types)}`);
  expect(policies).not.toContain('ml.g6');
});
