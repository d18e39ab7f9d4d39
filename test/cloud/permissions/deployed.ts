/** The policies of the templates as the local cloud deploys them, with logical ids in place of physical ones. */
import type { Template } from '../synthesize.ts';
import { text } from './names.ts';
import { list, type PolicyKind, policiesOf, type Statement } from './policies.ts';

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';

/** The ARN of each kind of resource that policies refer to, with the resource's logical id as its name. */
const ARNS: Readonly<Record<string, (id: string) => string>> = {
  'AWS::DynamoDB::Table': (id) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${id}`,
  'AWS::ECR::Repository': (id) => `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${id}`,
  'AWS::Events::Rule': (id) => `arn:aws:events:${REGION}:${ACCOUNT}:rule/${id}`,
  'AWS::IAM::Role': (id) => `arn:aws:iam::${ACCOUNT}:role/${id}`,
  'AWS::Lambda::Function': (id) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${id}`,
  'AWS::Logs::LogGroup': (id) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${id}:*`,
  'AWS::S3::Bucket': (id) => `arn:aws:s3:::${id}`,
  'AWS::SNS::Topic': (id) => `arn:aws:sns:${REGION}:${ACCOUNT}:${id}`,
  'AWS::SQS::Queue': (id) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${id}`,
  'AWS::StepFunctions::StateMachine': (id) => `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${id}`,
};
/** Of these, `Ref` is the ARN, and of all others the name. */
const REF_IS_ARN = ['AWS::SNS::Topic', 'AWS::StepFunctions::StateMachine'];
const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::Region': REGION,
};

export interface DeployedPolicy {
  readonly id: string;
  readonly kind: PolicyKind;
  /** The ARNs of the roles or resources that it speaks for. */
  readonly of: readonly string[];
  readonly statements: readonly Statement[];
}

/** The folder in which CloudFormation names a log group that has no name of its own. */
const LOG_FOLDER = /\/aws\/cloudformation\/[\w-]+\/(?=\$\{)/g;

/** A name of a trace as it is in `deployedPolicies`: without `${`, with which a policy variable begins. */
export function unquoted(traced: string): string {
  return traced.replace(LOG_FOLDER, '').replace(/\$\{(\w+)\}/g, '$1');
}

export function deployedPolicies(templates: readonly Template[]): DeployedPolicy[] {
  const types = new Map(
    templates.flatMap(({ Resources }) => Object.entries(Resources).map(([id, { Type }]) => [id, Type])),
  );
  const resolve = (value: unknown): string =>
    text(value).replace(/\$\{([\w:]+)(?:\.(\w+))?\}/g, (_, id: string, attribute?: string) => {
      const type = types.get(id) ?? '';
      const isArn = attribute === 'Arn' || (attribute === undefined && REF_IS_ARN.includes(type));
      const name = isArn ? ARNS[type]?.(id) : (PSEUDO[id] ?? id);
      if (name === undefined) throw new Error(`add the ARN of ${type} (${id}) to this file`);
      return name;
    });
  /** The ARN of what a policy speaks for, which it names in any form. */
  const owner = (value: unknown): string => {
    const name = resolve(value);
    return name.startsWith('arn:') ? name : (ARNS[types.get(name) ?? '']?.(name) ?? name);
  };
  return templates.flatMap(policiesOf).map((policy) => ({
    ...policy,
    of: policy.of.map(owner),
    statements: policy.statements.map(({ Principal, Resource, Condition, ...rest }) => ({
      ...rest,
      ...(Principal === undefined ? {} : { Principal: inside(Principal, resolve) }),
      ...(Resource === undefined ? {} : { Resource: list(Resource).map(resolve) }),
      ...(Condition === undefined
        ? {}
        : { Condition: inside(Condition, resolve) as NonNullable<Statement['Condition']> }),
    })),
  }));
}

/** Resolves every reference and value inside an element of a statement. */
function inside(node: unknown, resolve: (value: unknown) => string): unknown {
  if (Array.isArray(node)) return node.map((one) => resolve(one));
  if (typeof node !== 'object' || node === null || isReference(node)) return resolve(node);
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, inside(value, resolve)]));
}

function isReference(node: object): boolean {
  return Object.keys(node).some((key) => key === 'Ref' || key.startsWith('Fn::'));
}
