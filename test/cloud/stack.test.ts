/** The templates as a whole: their resources in both targets, what outlives a stack, its outputs and tags. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import {
  cdkJson,
  plain,
  removeTemporary,
  resourcesOf,
  resourcesOfBoth,
  synthesize,
  type Template,
  theOnly,
} from './synthesize.ts';

const inAccount = synthesize();
const local = resourcesOfBoth(synthesize({ target: 'local' }));
const account = resourcesOfBoth(inAccount);
const production = resourcesOfBoth(synthesize({ environment: 'production' }));

afterAll(removeTemporary);

/** The only types that a local emulator has to support: no nested stack. */
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
  'Custom::ProxytuneJobs',
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
  /::(Alarm|Rule|Policy|Role|EventInvokeConfig|Function|Version|Permission|\w+Policy|StateMachine|Repository|ProxytuneJobs)$/;

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
