/** Makes every policy of a template say more, in each of many small ways. */
import type { Resource, Template } from '../synthesize.ts';
import { changesOf, parents } from './changes.ts';
import { type Policy, policiesIn, type Statement } from './policies.ts';

export interface Widening {
  /** For example `JobRoleDefaultPolicy282093C4, statement 3: also action iam:PassRole`. */
  readonly what: string;
  readonly template: Template;
}

/** Changes a copy of a resource. */
type Way = readonly [what: string, change: (resource: Resource) => void];

/** Each widening of each statement of a template, one at a time. */
export function* widenings(template: Template): Generator<Widening> {
  for (const [id, resource] of Object.entries(template.Resources)) {
    const ways =
      resource.Type === 'AWS::Lambda::Permission'
        ? permissionWays(resource)
        : policiesIn(id, resource).flatMap((policy, at) => [
            ...statementWays(policy, at),
            ...policyWays(policy, at, resource),
          ]);
    for (const [what, change] of ways) {
      const changed = structuredClone(resource);
      change(changed);
      yield {
        what: `${id}, ${what}`,
        template: { ...template, Resources: { ...template.Resources, [id]: changed } },
      };
    }
  }
}

/** The statements of the policy at an index, in a copy of its resource. */
function statementsAt(policy: Policy, at: number, resource: Resource): Statement[] {
  const statements = policiesIn(policy.id, resource)[at]?.statements;
  if (statements === undefined) throw new Error(`${policy.id} has no policy ${at}`);
  return statements;
}

function statementWays(policy: Policy, at: number): Way[] {
  return policy.statements.flatMap((statement, index) =>
    changesOf(policy, statement).map(
      ({ what, to }): Way => [
        `statement ${index}: ${what}`,
        (resource) => Object.assign(statementsAt(policy, at, resource)[index] ?? {}, to),
      ],
    ),
  );
}

/** Widenings of a policy as a whole. */
function policyWays(policy: Policy, at: number, { Type }: Resource): Way[] {
  const { kind } = policy;
  const principal = kind === 'identity' ? {} : { Principal: { AWS: '*' } };
  const everything = { Effect: 'Allow', Action: '*', Resource: '*', ...principal };
  const { Action, ...noAction } = everything;
  const { Resource, ...noResource } = everything;
  const more: Statement[] = [
    everything,
    { ...noAction, NotAction: 'iam:CreateUser' },
    { ...noResource, NotResource: 'arn:aws:s3:::one' },
    { Effect: 'Allow', Action, Resource, NotPrincipal: { AWS: '123456789012' } },
  ];
  const denials = policy.statements.flatMap(({ Effect }, index) => (Effect === 'Deny' ? [index] : []));
  return [
    ...more.map(
      (statement): Way => [
        `one more statement: ${Object.keys(statement)}`,
        (resource) => statementsAt(policy, at, resource).push(statement),
      ],
    ),
    ...denials.map(
      (index): Way => [
        `without denial ${index}`,
        (resource) => statementsAt(policy, at, resource).splice(index, 1),
      ],
    ),
    ...(kind === 'identity' ? holderWays : Type === 'AWS::IAM::Role' ? roleWays : []),
  ];
}

const holderWays: readonly Way[] = [
  ['also for another role', ({ Properties }) => Properties.Roles.push({ Ref: 'AnotherRole' })],
  ['also for a user', ({ Properties }) => Object.assign(Properties, { Users: ['somebody'] })],
  ['also for a group', ({ Properties }) => Object.assign(Properties, { Groups: ['everybody'] })],
];

const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';
const roleWays: readonly Way[] = [
  ['a managed policy', ({ Properties }) => Object.assign(Properties, { ManagedPolicyArns: [ADMINISTRATOR] })],
  [
    'an inline policy',
    ({ Properties }) => {
      const Statement = [{ Effect: 'Allow', Action: '*', Resource: '*' }];
      Properties.Policies = [{ PolicyName: 'more', PolicyDocument: { Statement } }];
    },
  ],
];

function permissionWays({ Properties: { SourceArn } }: Resource): Way[] {
  const ways: Record<string, unknown>[] = [
    { Action: 'lambda:*' },
    { Action: '*' },
    { Action: 'lambda:UpdateFunctionCode' },
    { Principal: '*' },
    { Principal: '123456789012' },
    { Principal: 's3.amazonaws.com' },
    { SourceArn: undefined },
    { FunctionUrlAuthType: 'NONE' },
    { FunctionName: { Ref: 'AnotherLambda' } },
    ...parents(SourceArn).map((wide) => ({ SourceArn: wide })),
  ];
  return ways.map((to) => [JSON.stringify(to), ({ Properties }) => Object.assign(Properties, to)]);
}
