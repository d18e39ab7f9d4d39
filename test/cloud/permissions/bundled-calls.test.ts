/**
 * Compares the permissions of each role with the AWS calls in the bundled code of its lambda: a call without a
 * permission and a permission without a call both fail.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LAMBDA_NAMES, type LambdaName } from '../../../lib/cloud/lambda-names.ts';
import { bundlesFor, removeTemporary, resourcesOf } from '../synthesize.ts';
import { actionsOf, templates, unique } from './granted.ts';
import { named } from './names.ts';

const { folders } = bundlesFor('account');

afterAll(removeTemporary);

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
  [/TrainingJobs?$|TransformJobs?$|Model$/, 'sagemaker'],
  [/^SendTask|Executions?$/, 'states'],
  [/Images$/, 'ecr'],
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
const CALLED_BY_EVENTS: readonly LambdaName[] = ['start-run', 'withdraw-run', 'complete-job', 'end-run'];
const SENDS_FAILURES = ['sqs:SendMessage'];

test.each(LAMBDA_NAMES)('%s has the permissions that it uses, and no others', (name) => {
  const commands = commandsOf(name);
  expect(commands).not.toEqual([]);
  const wanted = [
    ...commands.flatMap(actionsFor),
    ...(ADDITIONAL[name] ?? []),
    ...EVERY_LAMBDA,
    ...(CALLED_BY_EVENTS.includes(name) ? SENDS_FAILURES : []),
  ];
  expect(actionsOf(name)).toEqual(unique(wanted));
});

/** Lambda sets it in every function, and refuses a function that sets it itself. */
const SET_BY_LAMBDA = 'AWS_REGION';

test.each(LAMBDA_NAMES)('%s has the settings that it reads, and no others', (name) => {
  const settings = [...codeOf(name).matchAll(/\bsetting\("(\w+)"\)/g)].map((match) => match[1] ?? '');
  const read = settings.filter((setting) => setting !== SET_BY_LAMBDA);
  const functions = templates.flatMap((template) => resourcesOf(template, 'AWS::Lambda::Function'));
  const own = functions.filter(([id]) => named({ 'Fn::GetAtt': [id, 'Arn'] }) === `lambda ${name}`);
  expect(own).toHaveLength(1);
  const variables = Object.keys(own[0]?.[1].Properties.Environment?.Variables ?? {});
  expect(variables.sort()).toEqual(unique(read));
});
