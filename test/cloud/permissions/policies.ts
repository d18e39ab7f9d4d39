/** Finds every policy of a template, wherever CloudFormation has one. */
import type { Resource, Template } from '../synthesize.ts';

export type OneOrMore<T> = T | T[];

export interface Statement {
  Sid?: string;
  Effect: string;
  Principal?: unknown;
  Action?: OneOrMore<string>;
  Resource?: OneOrMore<unknown>;
  Condition?: Record<string, Record<string, unknown>>;
  // NotAction, NotResource and NotPrincipal are reported, whatever they say.
  [other: string]: unknown;
}

export type PolicyKind = 'identity' | 'resource' | 'trust';

export interface Policy {
  /** The logical id of the resource that contains it. */
  readonly id: string;
  readonly kind: PolicyKind;
  /** Whom it speaks for: the roles (`identity`), or the resource (`resource`, `trust`). References of the template. */
  readonly of: readonly unknown[];
  /** The statements, as they are in the template: changing them changes the template. */
  readonly statements: Statement[];
}

export const list = <T>(value: OneOrMore<T> | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

type Reader = (id: string, resource: Resource) => Policy[];

const resourcePolicy =
  (of: string): Reader =>
  (id, { Properties }) => [
    { id, kind: 'resource', of: list(Properties[of]), statements: Properties.PolicyDocument.Statement },
  ];

const READERS: Readonly<Record<string, Reader>> = {
  'AWS::IAM::Policy': (id, { Properties }) => [
    { id, kind: 'identity', of: Properties.Roles, statements: Properties.PolicyDocument.Statement },
  ],
  'AWS::IAM::Role': (id, { Properties }) => [
    {
      id,
      kind: 'trust',
      of: [{ Ref: id }],
      statements: Properties.AssumeRolePolicyDocument.Statement,
    },
    ...list<{ PolicyDocument: { Statement: Statement[] } }>(Properties.Policies).map(
      ({ PolicyDocument }): Policy => ({
        id,
        kind: 'identity',
        of: [{ Ref: id }],
        statements: PolicyDocument.Statement,
      }),
    ),
  ],
  'AWS::S3::BucketPolicy': resourcePolicy('Bucket'),
  'AWS::SNS::TopicPolicy': resourcePolicy('Topics'),
  'AWS::SQS::QueuePolicy': resourcePolicy('Queues'),
  // Like a trust policy it names no resource: it is the repository's.
  'AWS::ECR::Repository': (id, { Properties }) =>
    list<{ Statement: Statement[] }>(Properties.RepositoryPolicyText).map(
      ({ Statement: statements }): Policy => ({ id, kind: 'trust', of: [{ Ref: id }], statements }),
    ),
  'AWS::Lambda::Permission': (id, resource) => [
    { id, kind: 'resource', of: [resource.Properties.FunctionName], statements: [invocation(resource)] },
  ],
};

const PERMISSION = ['Action', 'FunctionName', 'Principal', 'SourceArn', 'SourceAccount'];

/** The statement that Lambda adds to a function's policy for an AWS::Lambda::Permission. */
function invocation({ Properties }: Resource): Statement {
  const { Action, FunctionName, Principal, SourceArn, SourceAccount } = Properties;
  const unknown = Object.keys(Properties).filter((name) => !PERMISSION.includes(name));
  const service = typeof Principal === 'string' && Principal.endsWith('.amazonaws.com');
  return {
    Effect: 'Allow',
    Principal: service ? { Service: Principal } : Principal,
    Action,
    Resource: FunctionName,
    ...(SourceArn === undefined && SourceAccount === undefined
      ? {}
      : {
          Condition: {
            ...(SourceArn === undefined ? {} : { ArnLike: { 'aws:SourceArn': SourceArn } }),
            ...(SourceAccount === undefined ? {} : { StringEquals: { 'aws:SourceAccount': SourceAccount } }),
          },
        }),
    ...Object.fromEntries(unknown.map((name) => [name, Properties[name]])),
  };
}

/** The policies in one resource of a template. */
export function policiesIn(id: string, resource: Resource): Policy[] {
  return READERS[resource.Type]?.(id, resource) ?? [];
}

export function policiesOf(template: Template): Policy[] {
  return Object.entries(template.Resources).flatMap(([id, resource]) => policiesIn(id, resource));
}

/** Attributes of principals that grant something outside the policies of this template. */
const ELSEWHERE = ['ManagedPolicyArns', 'PermissionsBoundary', 'Users', 'Groups'];
const PRINCIPALS = /^AWS::IAM::|^AWS::Lambda::(Url|LayerVersionPermission)$|ResourcePolicy$/;

/** Lists what `policiesIn` cannot read: other kinds of policies, and permissions that are granted by a name. */
export function unreadable(id: string, { Type, Properties = {} }: Resource): string[] {
  const known = Type in READERS;
  const kind = PRINCIPALS.test(Type) && !known ? [`${id}: no rule for ${Type}`] : [];
  const granted = ELSEWHERE.filter((name) => known && Properties[name] !== undefined);
  const documents = known ? [] : statementsIn(Properties).map((path) => `${id}: a policy in ${path}`);
  return [...kind, ...granted.map((name) => `${id}: ${name}`), ...documents];
}

/** The paths of policy documents in the properties of a resource, which have a key `Statement`. */
function statementsIn(node: unknown, path = ''): string[] {
  if (typeof node !== 'object' || node === null) return [];
  if ('Statement' in node) return [path || 'its properties'];
  return Object.entries(node).flatMap(([key, value]) => statementsIn(value, path ? `${path}.${key}` : key));
}
