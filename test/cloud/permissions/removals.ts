/** Takes something away from every policy: a statement, an action, a resource, or a value of a condition. */
import type { DeployedPolicy } from './deployed.ts';
import { list, type Statement } from './policies.ts';

export interface Removal {
  /** For example `JobRoleDefaultPolicy282093C4, statement 3: without s3:DeleteObject`. */
  readonly what: string;
  readonly policy: DeployedPolicy;
  /** The policy without it. */
  readonly left: DeployedPolicy;
  /** The actions of which a call can notice it. */
  readonly actions: readonly string[];
}

export function removals(policy: DeployedPolicy): Removal[] {
  return policy.statements.flatMap((statement, index) => {
    const at = `${policy.id}, statement ${index}`;
    const { Action, Resource } = statement;
    const [actions, resources] = [list(Action), list(Resource)];
    const leaving = (what: string, other: readonly Statement[], noticed = actions): Removal => ({
      what: `${at}: without ${what}`,
      policy,
      left: { ...policy, statements: policy.statements.toSpliced(index, 1, ...other) },
      actions: noticed,
    });
    const without = <T>(all: readonly T[], one: T): T[] => all.filter((other) => other !== one);
    return [
      leaving(`all of ${actions.join(', ')}`, []),
      ...(actions.length < 2 ? [] : actions).map((action) =>
        leaving(action, [{ ...statement, Action: without(actions, action) }], [action]),
      ),
      ...(resources.length < 2 ? [] : resources).map((resource) =>
        leaving(`${actions.join(', ')} on ${resource}`, [
          { ...statement, Resource: without(resources, resource) },
        ]),
      ),
      ...valuesOf(statement).map(({ operator, key, values, value }) =>
        leaving(`${actions.join(', ')} if ${key} is ${value}`, [
          {
            ...statement,
            Condition: {
              ...statement.Condition,
              [operator]: { ...statement.Condition?.[operator], [key]: without(values, value) },
            },
          },
        ]),
      ),
    ];
  });
}

/** Conditions that name what may be touched, like a resource does. Others limit how, such as instance types. */
const PLACES = ['s3:prefix', 'cloudwatch:namespace'];

function valuesOf({ Condition = {} }: Statement) {
  return Object.entries(Condition).flatMap(([operator, keys]) =>
    Object.entries(keys).flatMap(([key, found]) => {
      const values = list(found as string | string[]);
      if (!PLACES.includes(key) || values.length < 2) return [];
      return values.map((value) => ({ operator, key, values, value }));
    }),
  );
}

/** Matches an action as IAM does: `*` at the end is any text, and the case does not count. */
export function coversAction(patterns: readonly string[], action: string): boolean {
  return patterns.some((pattern) => {
    const [start = '', rest] = pattern.toLowerCase().split('*');
    const asked = action.toLowerCase();
    return rest === undefined ? asked === start : asked.startsWith(start);
  });
}
