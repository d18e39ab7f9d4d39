/**
 * Compares the permissions of each role with the AWS calls in the bundled code of its lambda: a call without a
 * permission and a permission without a call both fail.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LAMBDA_NAMES, type LambdaName } from '../../lib/cloud/lambda-names.ts';
import { keys } from '../../lib/core/keys.ts';
import { bundlesFor, plain, removeTemporary, resourcesOf, synthesize } from './synthesize.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

const { template } = synthesize();
const { folders } = bundlesFor('account');

afterAll(removeTemporary);

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

/** The statements of the policy whose logical id has a prefix. */
function statementsOf(role: string): Statement[] {
  const policies = resourcesOf(template, 'AWS::IAM::Policy').filter(([id]) => id.startsWith(role));
  if (policies.length !== 1) throw new Error(`${policies.length} policies begin with ${role}`);
  return policies[0]?.[1].Properties.PolicyDocument.Statement;
}

function actionsOf(statements: readonly Statement[]): string[] {
  return [...new Set(statements.flatMap(({ Action }) => list(Action)))].sort();
}

const ROLES: Record<LambdaName, string> = {
  'start-run': 'EventLambdasStartRunRole',
  'complete-job': 'EventLambdasCompleteJobRole',
  'plan-run': 'MachineLambdasPlanRunRole',
  'inspect-photos': 'MachineLambdasInspectPhotosRole',
  'start-job': 'MachineLambdasStartJobRole',
  'reconcile-job': 'MachineLambdasReconcileJobRole',
  'decide-round': 'MachineLambdasDecideRoundRole',
  'end-run': 'MachineLambdasEndRunRole',
  'publish-run': 'MachineLambdasPublishRunRole',
};

/** IAM actions whose names differ from the SDK's commands. */
const S3_ACTIONS: Record<string, string[]> = {
  GetObject: ['s3:GetObject'],
  PutObject: ['s3:PutObject'],
  CopyObject: ['s3:GetObject', 's3:PutObject'],
  ListObjectsV2: ['s3:ListBucket'],
  DeleteObjects: ['s3:DeleteObject'],
};
const DYNAMO_ACTIONS: Record<string, string[]> = {
  Get: ['dynamodb:GetItem'],
  Put: ['dynamodb:PutItem'],
  Update: ['dynamodb:UpdateItem'],
  Query: ['dynamodb:Query'],
};
const SERVICES: readonly (readonly [RegExp, string])[] = [
  [/TrainingJob$|TransformJob$|Model$/, 'sagemaker'],
  [/^SendTask|Execution$/, 'states'],
  [/^(Publish|Subscribe)$/, 'sns'],
];

function actionsFor(command: string): string[] {
  const known = S3_ACTIONS[command] ?? DYNAMO_ACTIONS[command];
  if (known !== undefined) return known;
  const service = SERVICES.find(([pattern]) => pattern.test(command))?.[1];
  if (service === undefined) throw new Error(`add the permission that ${command} requires to this test`);
  return [`${service}:${command}`];
}

/** Our own code in a bundle, without unused functions; esbuild names each module in a comment. */
function codeOf(name: LambdaName): string {
  const code = readFileSync(join(folders[name], 'index.mjs'), 'utf8');
  const modules = code.split(/^(?=\/\/ \S+\.(?:m?[jt]s|json)$)/m);
  return modules.filter((module) => /^\/\/ (lambdas|lib)\//.test(module)).join('\n');
}

/** The SDK's commands that a lambda sends. */
function commandsOf(name: LambdaName): string[] {
  const ours = codeOf(name);
  const made = [...ours.matchAll(/\bnew (\w+?)Command\d*\(/g), ...ours.matchAll(/\bpaginate([A-Z]\w*)\(/g)];
  return [...new Set(made.map((match) => match[1] ?? ''))].sort();
}

/** Permissions that cannot be derived from an SDK command. */
const ADDITIONAL: Partial<Record<LambdaName, string[]>> = {
  'plan-run': ['s3:GetObjectVersion'],
  'start-job': ['iam:PassRole', 'sagemaker:AddTags'],
};
const EVERY_LAMBDA = ['logs:CreateLogStream', 'logs:PutLogEvents'];
const CALLED_BY_EVENTS: readonly LambdaName[] = ['start-run', 'complete-job', 'end-run'];
const SENDS_FAILURES = ['sqs:GetQueueAttributes', 'sqs:GetQueueUrl', 'sqs:SendMessage'];

test.each(LAMBDA_NAMES)('%s has the permissions that it uses, and no others', (name) => {
  const commands = commandsOf(name);
  expect(commands).not.toEqual([]);
  const wanted = [
    ...commands.flatMap(actionsFor),
    ...(ADDITIONAL[name] ?? []),
    ...EVERY_LAMBDA,
    ...(CALLED_BY_EVENTS.includes(name) ? SENDS_FAILURES : []),
  ];
  expect(actionsOf(statementsOf(ROLES[name]))).toEqual([...new Set(wanted)].sort());
});

const RUN = 'my-dog-0a1b2c3d';
const JOB = 'proxytune-my-dog-0a1b2c3d-evaluate-a1';
const CLASS = {
  model: 'sdxl',
  digest: '0a1b2c3d',
  prompt: 'a dog',
  size: 1024,
  steps: 25,
  guidance: 3.5,
  pictures: 200,
};
/** Keys as core builds them, one for each way in which a lambda accesses the bucket. */
const TOUCHED: readonly (readonly [LambdaName, string, string])[] = [
  ['plan-run', 's3:GetObjectVersion', keys.request('my-dog')],
  ['plan-run', 's3:GetObject', keys.modelManifest('sdxl')],
  ['plan-run', 's3:PutObject', keys.plan(RUN)],
  ['plan-run', 's3:PutObject', keys.chunk(RUN, 'synthesize', 7)],
  ['inspect-photos', 's3:GetObject', `${keys.photos('my-dog')}a+b 1.jpg`],
  ['inspect-photos', 's3:PutObject', `${keys.references(RUN)}0001.png`],
  ['inspect-photos', 's3:DeleteObject', `${keys.references(RUN)}findings.json`],
  ['start-job', 's3:GetObject', keys.plan(RUN)],
  ['start-job', 's3:GetObject', keys.modelManifest('sdxl')],
  ['start-job', 's3:PutObject', keys.manifest(RUN, JOB)],
  ['decide-round', 's3:GetObject', keys.plan(RUN)],
  ['decide-round', 's3:GetObject', `${keys.artifactFolder(RUN, JOB)}curation.json`],
  ['decide-round', 's3:PutObject', keys.curationFile(RUN)],
  ['publish-run', 's3:GetObject', `${keys.artifactFolder(RUN, JOB)}index.html`],
  ['publish-run', 's3:GetObject', keys.plan(RUN)],
  ['publish-run', 's3:GetObject', keys.drawnClass(RUN)],
  ['publish-run', 's3:PutObject', keys.classArchive(keys.classImages(CLASS))],
  ['publish-run', 's3:PutObject', keys.reportPage(RUN)],
  ['publish-run', 's3:PutObject', `${keys.report(RUN)}pictures/1.png`],
];

test.each(TOUCHED)('%s may %s %s', (name, action, key) => {
  expect(patternsFor(name, action).filter((pattern) => matches(pattern, key))).not.toEqual([]);
});

test.each([
  ['plan-run', keys.model('sdxl')],
  ['inspect-photos', keys.photos('my-dog')],
  ['inspect-photos', keys.references(RUN)],
  ['start-job', keys.pictures(RUN, 'synthesize')],
  ['complete-job', keys.pictures(RUN, 'sample-student')],
  ['reconcile-job', keys.pictures(RUN, 'sample-teacher')],
  ['publish-run', keys.artifactFolder(RUN, JOB)],
  ['publish-run', keys.drawnClass(RUN)],
  ['publish-run', keys.classImages(CLASS)],
  ['start-job', keys.classImages(CLASS)],
  ['start-job', keys.modelManifest('sdxl')],
] as const)('%s may list %s', (name, prefix) => {
  const listing = statementsOf(ROLES[name]).find(({ Action }) => Action === 's3:ListBucket');
  const patterns = list(listing?.Condition?.StringLike?.['s3:prefix'] as string | string[]);
  expect(patterns.some((pattern) => matches(pattern, prefix))).toBe(true);
});

test('only plan-run can read a request, and only inspect-photos a photo', () => {
  const readers = (key: string) =>
    LAMBDA_NAMES.filter((name) => patternsFor(name, 's3:GetObject').some((pattern) => matches(pattern, key)));
  expect(readers(keys.request('my-dog'))).toEqual(['plan-run']);
  expect(readers(`${keys.photos('my-dog')}1.jpg`)).toEqual(['inspect-photos']);
});

/** The key patterns for which a lambda is allowed an action. */
function patternsFor(name: LambdaName, action: string): string[] {
  return statementsOf(ROLES[name])
    .filter(({ Action }) => list(Action).includes(action))
    .flatMap(({ Resource }) =>
      list(Resource).map((arn) => plain(arn).replace(/^arn:<AWS::Partition>:s3:::<\w+>\//, '')),
    );
}

/** Matches as IAM does: `*` is any text, including `/`. */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}

test.each(LAMBDA_NAMES)('%s has the settings that it reads, and no others', (name) => {
  const read = [...codeOf(name).matchAll(/\bsetting\("(\w+)"\)/g)].map((match) => match[1] ?? '');
  const lambda = ROLES[name].replace(/Role$/, '');
  const [, resource] =
    resourcesOf(template, 'AWS::Lambda::Function').find(([id]) => id.startsWith(lambda)) ?? [];
  const variables = Object.keys(resource?.Properties.Environment?.Variables ?? {});
  expect(variables.sort()).toEqual([...new Set(read)].sort());
});

test('the machine may invoke its seven lambdas, and none that references the machine', () => {
  const [invoke] = statementsOf('MachineRole');
  const lambdas = [
    ...new Set(list(invoke?.Resource).map((arn) => plain(arn).replace(/^<(\w+?)[0-9A-F]{8}.*$/, '$1'))),
  ];
  expect(lambdas.sort()).toEqual(
    ['DecideRound', 'EndRun', 'InspectPhotos', 'PlanRun', 'PublishRun', 'ReconcileJob', 'StartJob'].map(
      (id) => `MachineLambdas${id}`,
    ),
  );
});

test('only start-job can pass the job role, and only to SageMaker', () => {
  const passing = resourcesOf(template, 'AWS::IAM::Policy').filter(([, { Properties }]) =>
    actionsOf(Properties.PolicyDocument.Statement).includes('iam:PassRole'),
  );
  expect(passing.map(([id]) => id)).toEqual([expect.stringMatching(/^MachineLambdasStartJobRole/)]);
  const pass = statementsOf('MachineLambdasStartJobRole').find(({ Action }) => Action === 'iam:PassRole');
  expect(plain(pass?.Resource)).toMatch(/^<JobRole\w+\.Arn>$/);
  expect(pass?.Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' } });
});

test('training is limited: known types, bounded time, no network', () => {
  const create = statementsOf('MachineLambdasStartJobRole').find(
    ({ Action }) => Action === 'sagemaker:CreateTrainingJob',
  );
  expect(create?.Condition).toMatchObject({
    'ForAllValues:StringEquals': { 'sagemaker:InstanceTypes': expect.arrayContaining(['ml.g5.xlarge']) },
    NumericLessThanEquals: { 'sagemaker:MaxRuntimeInSeconds': 72 * 3600 },
    Bool: { 'sagemaker:NetworkIsolation': 'true' },
  });
});

test('a job cannot see uploaded photos or requests, nor write plans, references or reports', () => {
  const objects = statementsOf('JobRole').filter(({ Action }) =>
    list(Action).some((a) => a.startsWith('s3:')),
  );
  const allowedOn = (action: string) =>
    objects
      .filter(({ Action }) => list(Action).includes(action))
      .flatMap(({ Resource }) =>
        list(Resource).map((arn) => plain(arn).replace(/^arn:<AWS::Partition>:s3:::<\w+>\//, '')),
      );
  expect(allowedOn('s3:GetObject').sort()).toEqual(['class-images/*', 'models/*', 'runs/*']);
  expect(allowedOn('s3:PutObject').sort()).toEqual([
    'runs/*/checkpoints/*',
    'runs/*/failures/*',
    'runs/*/generated/*/pictures/*',
    'runs/*/jobs/*',
    'runs/*/pictures/*',
  ]);
  const generated = keys.generatedPicturesOfAttempt(RUN, '0a1b2c3d', 1);
  expect(allowedOn('s3:PutObject').some((pattern) => matches(pattern, `${generated}x.out`))).toBe(true);
  // What SageMaker mirrors from a checkpoint folder, which has the proxies in a synthesis job on spot instances.
  expect(allowedOn('s3:DeleteObject')).toEqual(['runs/*/checkpoints/*', 'runs/*/pictures/synthesize/*']);
  const listing = objects.find(({ Action }) => Action === 's3:ListBucket');
  expect(listing?.Condition).toEqual({
    StringLike: { 's3:prefix': ['models/*', 'runs/*', 'class-images/*'] },
  });
});

test('the job with network access writes models, reads one secret, and has no access to any run', () => {
  const statements = statementsOf('ImportRole');
  const objects = statements.filter(({ Action }) => list(Action).includes('s3:PutObject'));
  const patterns = objects.flatMap(({ Resource }) =>
    list(Resource).map((arn) => plain(arn).replace(/^arn:<AWS::Partition>:s3:::<\w+>\//, '')),
  );
  expect(patterns.sort()).toEqual(['imports/*', 'models/*']);
  const keysOfOthers = [keys.photos('my-dog'), keys.references(RUN), keys.artifact(RUN, JOB), keys.plan(RUN)];
  expect(keysOfOthers.filter((key) => patterns.some((pattern) => matches(pattern, key)))).toEqual([]);
  const secret = statements.filter(({ Action }) => list(Action).some((a) => a.startsWith('secretsmanager:')));
  expect(secret.map(({ Action }) => Action)).toEqual(['secretsmanager:GetSecretValue']);
  expect(list(secret[0]?.Resource).map(plain)).toEqual([
    'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:proxytune/hugging-face-token-??????',
  ]);
  expect(actionsOf(statements)).not.toContain('iam:PassRole');
});

test('no lambda can start a job with the import role, and no other role reads the secret', () => {
  const policies = resourcesOf(template, 'AWS::IAM::Policy').map(([id, { Properties }]) => ({
    id,
    text: JSON.stringify(Properties.PolicyDocument),
  }));
  const [roleId = ''] =
    resourcesOf(template, 'AWS::IAM::Role').find(([id]) => id.startsWith('ImportRole')) ?? [];
  expect(roleId).not.toBe('');
  expect(policies.filter(({ text }) => text.includes(`"${roleId}"`))).toEqual([]);
  const readers = policies.filter(({ text }) => text.includes('secretsmanager:'));
  expect(readers.map(({ id }) => id)).toEqual([expect.stringMatching(/^ImportRole/)]);
});

test('services assume a role only on behalf of this account', () => {
  for (const service of ['sagemaker.amazonaws.com', 'states.amazonaws.com']) {
    const [role] = resourcesOf(template, 'AWS::IAM::Role')
      .map(([, { Properties }]) => Properties.AssumeRolePolicyDocument.Statement[0])
      .filter(({ Principal }) => Principal.Service === service);
    expect(role.Condition).toEqual({ StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } });
  }
});

test('no role has a managed policy', () => {
  for (const [, { Properties }] of resourcesOf(template, 'AWS::IAM::Role')) {
    expect(Properties.ManagedPolicyArns).toBeUndefined();
  }
});

/** Actions on every resource, each with the reason why it cannot be narrower. */
const ON_EVERYTHING: Record<string, string> = {
  'cloudwatch:PutMetricData': 'has no resource types; a condition fixes the namespace',
  'ecr:GetAuthorizationToken':
    'returns a token for the whole registry; pulling also requires access to the repository',
  'logs:CreateLogDelivery': 'vended logs of Step Functions have no resource types',
  'logs:DeleteLogDelivery': 'vended logs of Step Functions have no resource types',
  'logs:DescribeLogGroups': 'vended logs of Step Functions have no resource types',
  'logs:DescribeResourcePolicies': 'vended logs of Step Functions have no resource types',
  'logs:GetLogDelivery': 'vended logs of Step Functions have no resource types',
  'logs:ListLogDeliveries': 'vended logs of Step Functions have no resource types',
  'logs:PutResourcePolicy': 'vended logs of Step Functions have no resource types',
  'logs:UpdateLogDelivery': 'vended logs of Step Functions have no resource types',
};

test('only actions without resource types are allowed on all resources', () => {
  const statements: Statement[] = resourcesOf(template, 'AWS::IAM::Policy').flatMap(
    ([, { Properties }]) => Properties.PolicyDocument.Statement,
  );
  const wide = statements.filter(({ Resource }) => list(Resource).some((resource) => resource === '*'));
  expect(actionsOf(wide)).toEqual(Object.keys(ON_EVERYTHING).sort());
  expect(actionsOf(statements).filter((action) => action.includes('*'))).toEqual([]);
});
