/** Widens one statement of a policy in many small ways. */
import { list, type Policy, type Statement } from './policies.ts';

/** A change of one statement. */
export interface Change {
  readonly what: string;
  readonly to: Readonly<Record<string, unknown>>;
}

const WITHOUT = undefined;

/** Each way to make a statement say more than it says, one at a time. */
export function changesOf(policy: Policy, statement: Statement): Change[] {
  return statement.Effect === 'Deny'
    ? denialChanges(statement)
    : [
        ...actionChanges(statement),
        ...resourceChanges(policy, statement),
        ...principalChanges(policy, statement),
        ...conditionChanges(statement),
      ];
}

const replaced = <T>(values: readonly T[], at: number, value: T): T[] => values.with(at, value);

/** One action of each kind that no statement may gain. */
const FOREIGN = ['iam:PassRole', 'sts:AssumeRole', 's3:PutBucketPolicy', 'kms:Decrypt', 'logs:GetLogEvents'];

function actionChanges({ Action }: Statement): Change[] {
  const actions = list(Action);
  const wider = actions.flatMap((action, at) => {
    const [service = '', name = ''] = action.split(':');
    const verb = /^[A-Z][a-z]+/.exec(name)?.[0] ?? '';
    return [`${service}:*`, `${service}:${verb}*`, `${action}*`, '*'].map((wide) => ({
      what: `action ${wide} instead of ${action}`,
      to: { Action: replaced(actions, at, wide) },
    }));
  });
  const services = [...new Set(actions.map((action) => action.split(':')[0]))];
  const more = [...FOREIGN, ...services.map((service) => `${service}:DeleteEverything`)].filter(
    (action) => !actions.includes(action),
  );
  return [
    ...wider,
    ...more.map((action) => ({ what: `also action ${action}`, to: { Action: [...actions, action] } })),
    { what: 'NotAction', to: { Action: WITHOUT, NotAction: ['iam:CreateUser'] } },
  ];
}

function resourceChanges({ kind }: Policy, { Resource }: Statement): Change[] {
  // The resource of a trust policy is its role, whatever it says.
  if (kind === 'trust') return [];
  const resources = list(Resource);
  const wider = resources.flatMap((resource, at) =>
    parents(resource).map((wide) => ({
      what: `resource ${JSON.stringify(wide)} instead of ${JSON.stringify(resource)}`,
      to: { Resource: replaced(resources, at, wide) },
    })),
  );
  const others = ['arn:aws:s3:::somebody-elses-bucket', ...(resources.includes('*') ? [] : ['*'])];
  return [
    ...wider,
    ...others.map((one) => ({ what: `also resource ${one}`, to: { Resource: [...resources, one] } })),
    { what: 'NotResource', to: { Resource: WITHOUT, NotResource: ['arn:aws:s3:::one'] } },
  ];
}

/** `*`, what begins like the resource, and each prefix of its last part that ends before a `/`, `:` or `-`. */
export function parents(resource: unknown): unknown[] {
  if (resource === '*') return [];
  const joined = (resource as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join'];
  if (joined === undefined) return ['*', { 'Fn::Join': ['', [resource, '*']] }];
  const parts = joined[1];
  const last = String(parts.at(-1));
  const ends = [...last.matchAll(/[/:-](?=.)/g)].map(({ index }) => last.slice(0, index + 1));
  const prefixes = [...new Set(['', ...ends])].map((prefix) => `${prefix}*`).filter((text) => text !== last);
  const placeless = parts.map((part) => (isPlace(part) ? '*' : part));
  return [
    '*',
    ...prefixes.map((prefix) => ({ 'Fn::Join': ['', [...parts.slice(0, -1), prefix]] })),
    ...(parts.some(isPlace) ? [{ 'Fn::Join': ['', placeless] }] : []),
  ];
}

function isPlace(part: unknown): boolean {
  return ['AWS::Region', 'AWS::AccountId'].includes((part as { Ref?: string }).Ref ?? '');
}

function principalChanges({ kind }: Policy, { Principal }: Statement): Change[] {
  if (kind === 'identity') return [];
  const account = { 'Fn::Join': ['', ['arn:aws:iam::', { Ref: 'AWS::AccountId' }, ':root']] };
  const own = Principal as Record<string, unknown>;
  const services = list(own.Service as string | string[]);
  return [
    { what: 'principal *', to: { Principal: '*' } },
    { what: 'principal AWS *', to: { Principal: { AWS: '*' } } },
    { what: 'also the account', to: { Principal: { ...own, AWS: account } } },
    { what: 'also another account', to: { Principal: { ...own, AWS: '123456789012' } } },
    { what: 'also another service', to: { Principal: { Service: [...services, 'ec2.amazonaws.com'] } } },
    { what: 'NotPrincipal', to: { Principal: WITHOUT, NotPrincipal: { AWS: account } } },
  ];
}

function conditionChanges({ Condition = {} }: Statement): Change[] {
  const all = Object.entries(Condition).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => ({ operator, key, values })),
  );
  const to = (
    operator: string,
    key: string,
    replacement: Record<string, Record<string, unknown>>,
  ): Change['to'] => {
    const { [key]: _, ...rest } = Condition[operator] ?? {};
    const { [operator]: __, ...others } = Condition;
    return {
      Condition: { ...others, ...(Object.keys(rest).length > 0 ? { [operator]: rest } : {}), ...replacement },
    };
  };
  const changes = all.flatMap(({ operator, key, values }) => [
    { what: `without ${operator} ${key}`, to: to(operator, key, {}) },
    ...operators(operator).map((other) => ({
      what: `${other} ${key} instead of ${operator}`,
      to: to(operator, key, { [other]: { [key]: values } }),
    })),
    ...looser(values).map((loose) => ({
      what: `${operator} ${key} ${JSON.stringify(loose)}`,
      to: to(operator, key, { [operator]: { ...Condition[operator], [key]: loose } }),
    })),
  ]);
  return all.length === 0 ? [] : [...changes, { what: 'without conditions', to: { Condition: WITHOUT } }];
}

function operators(operator: string): string[] {
  const like = operator.replace(/(String|Arn)(Equals|Like)$/, '$1NotLike');
  const equal = operator.replace(/(String|Arn)Equals$/, '$1Like');
  const set = operator.replace('ForAllValues', 'ForAnyValue');
  const number = operator.replace('LessThanEquals', 'GreaterThan');
  return [...new Set([`${operator}IfExists`, like, equal, set, number])].filter(
    (other) => other !== operator,
  );
}

/** Values that let more requests pass. */
function looser(values: unknown): unknown[] {
  if (typeof values === 'number') return [values + 1, values * 1000];
  if (values === 'true' || values === 'false') return [['true', 'false']];
  const all = list(values);
  return [
    '*',
    [...all, '*'],
    [...all, 'another'],
    ...all.flatMap((value, at) =>
      parents(typeof value === 'string' ? { 'Fn::Join': ['', [value]] } : value).map((wide) =>
        replaced(all, at, wide),
      ),
    ),
  ];
}

/** A denial that denies less allows more. */
function denialChanges({ Action, Resource, Condition = {} }: Statement): Change[] {
  const resources = list(Resource);
  return [
    { what: 'allowed instead of denied', to: { Effect: 'Allow' } },
    { what: 'denied to one service only', to: { Principal: { Service: 'ec2.amazonaws.com' } } },
    { what: 'not denied to one', to: { Principal: WITHOUT, NotPrincipal: { AWS: '123456789012' } } },
    ...list(Action).map((action) => ({
      what: 'one action is denied',
      to: { Action: `${action.split(':')[0]}:DeleteEverything` },
    })),
    ...resources.map((resource) => ({
      what: `not denied on ${JSON.stringify(resource)}`,
      to: { Resource: [...resources.filter((one) => one !== resource), 'arn:aws:s3:::other'] },
    })),
    ...Object.entries(Condition).flatMap(([operator, keys]) => [
      {
        what: 'denied under one more condition',
        to: { Condition: { ...Condition, StringEquals: { 'aws:SourceAccount': '123456789012' } } },
      },
      ...Object.entries(keys).map(([key, value]) => ({
        what: `denied for another ${key}`,
        to: { Condition: { ...Condition, [operator]: { ...keys, [key]: value === 'false' ? 'true' : 0.5 } } },
      })),
    ]),
  ];
}
