/** Permissions, one at a time: who may do one action on one resource under which conditions. */
import { holder, named } from './names.ts';
import { list, type OneOrMore, type Policy, type Statement } from './policies.ts';

/** By operator and key, such as `StringLike s3:prefix`. */
export type Conditions = Readonly<Record<string, OneOrMore<string>>>;

export interface Grant {
  readonly who: string;
  readonly effect: 'may' | 'may not';
  readonly action: string;
  readonly on: string;
  readonly if: Conditions;
}

/** A line for a permission. Two permissions are the same if their lines are. */
export function line({ who, effect, action, on, if: conditions }: Grant): string {
  const parts = Object.entries(conditions)
    .map(([key, values]) => `${key} ${list(values).toSorted().join(' or ')}`)
    .toSorted();
  return `${who} ${effect} ${action} on ${on}${parts.length === 0 ? '' : ` if ${parts.join(' and ')}`}`;
}

const ELEMENTS = ['Sid', 'Effect', 'Principal', 'Action', 'Resource', 'Condition'];

/**
 * The permissions of a policy. What has no meaning here, such as NotAction, becomes part of the name of who may, which
 * no row of the table has.
 */
export function grantsOf(policy: Policy): Grant[] {
  return policy.statements.flatMap((statement) => {
    const other = Object.keys(statement).filter((key) => !ELEMENTS.includes(key));
    const note = other.map((key) => ` [${key} ${JSON.stringify(statement[key])}]`).join('');
    const effect = { Allow: 'may', Deny: 'may not' }[statement.Effect] as Grant['effect'];
    const conditions = conditionsOf(statement);
    return holdersOf(policy, statement).flatMap((who) =>
      actionsOf(statement).flatMap((action) =>
        resourcesOf(policy, statement).map((on) => ({
          who: who + note,
          effect,
          action,
          on,
          if: conditions,
        })),
      ),
    );
  });
}

/** In place of an element that a statement does not have. */
const MISSING = ['(missing)'];

function actionsOf({ Action = MISSING }: Statement): string[] {
  return list(Action);
}

function holdersOf({ kind, of }: Policy, { Principal = MISSING }: Statement): string[] {
  if (kind === 'identity') return of.map(holder);
  if (typeof Principal === 'string') return [Principal === '*' ? 'anyone' : Principal];
  return Object.entries(Principal as Record<string, OneOrMore<unknown>>).flatMap(([type, values]) =>
    list(values).map((value) => {
      if (type === 'Service') return named(value);
      return type === 'AWS' && value === '*' ? 'anyone' : `${type} ${named(value)}`;
    }),
  );
}

/** A trust policy names no resource: it is the role's. */
function resourcesOf({ kind, of }: Policy, { Resource = MISSING }: Statement): string[] {
  return (kind === 'trust' ? of : list(Resource)).map(named);
}

function conditionsOf({ Condition = {} }: Statement): Conditions {
  return Object.fromEntries(
    Object.entries(Condition).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, values]) => [`${operator} ${key}`, list(values).map(named)]),
    ),
  );
}
