/**
 * Traces of authorization: what each call of a run was judged by, in a form that does not change from run to run.
 *
 * A trace is enough to judge its calls again, against other policies and without a cloud. Policies are not part of it:
 * they are looked up in the synthesized template by the logical ids in the ARNs. To resolve a policy of the template
 * the same way, replace `Ref` of a resource with `${LogicalId}` and `Fn::GetAtt` of its Arn with the ARN that has
 * `${LogicalId}` as its name.
 */

/** The account's own key is not traced, because no policy limits it. */
export type Principal =
  /** A role, by its ARN (`arn:aws:iam::000000000000:role/NAME`): its session made the call, or AWS in its name. */
  | { readonly role: string }
  /** A service for which only a resource's policy speaks, such as `events.amazonaws.com`. */
  | { readonly service: string };

/**
 * Policies of which one has to allow the call, while none may deny it:
 * - `identity`: the policies of the role, or the policy of the resource if it names the role;
 * - `resource`: the policy of the resource only. Services have no policies of their own;
 * - `trust`: the trust policy of the role that is the resource, when a service assumes it.
 */
export type JudgedBy = 'identity' | 'resource' | 'trust';

export type Decision = 'Allow' | 'Deny' | 'ImplicitDeny';

/** One call, or one of the permissions that a call requires: CreateTrainingJob requires iam:PassRole too. */
export interface AuthorizedCall {
  readonly principal: Principal;
  /** For example `s3:GetObject`. */
  readonly action: string;
  /** ARN of the resource, or `*` where the action has none. */
  readonly resource: string;
  /**
   * Every condition key of the request, in lower case, because IAM ignores the case of keys. A key that is missing here
   * was missing in the request. Times, the caller's id and the source address are left out: they differ on each start.
   */
  readonly context: Readonly<Record<string, string | readonly string[]>>;
  readonly judgedBy: JudgedBy;
  readonly decision: Decision;
}

/** Physical ids of a stack's resources and the logical ids that a template has for them. */
export type LogicalIds = Readonly<Record<string, string>>;

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
/** Digests and random ids: of runs, generations, log streams. */
const DIGEST = /(?<![0-9A-Za-z])[0-9a-f]{8,}(?![0-9A-Za-z])/g;
/** `7`, `0007` and `a1`, but not `a6uu`, which may be the digest in a prefix that a policy has. */
const NUMBER = /(?<![0-9A-Za-z])([a-z]?)\d+(?![0-9A-Za-z])/g;
/** Keys whose values are compared as numbers or words, so they stay as they are. */
const TAG = /^aws:requesttag\//;

/**
 * Replaces what differs from run to run, drops duplicates and sorts, so that equal runs have equal traces.
 *
 * Physical ids of the stack become `${LogicalId}`. In the names of objects, jobs, executions and log streams each UUID
 * and each digest becomes `0`, and so does each number: attempts and steps depend on timing. Such a name still matches
 * the wildcards of a policy as before.
 */
export function normalizeTrace(calls: Iterable<AuthorizedCall>, logicalIds: LogicalIds): AuthorizedCall[] {
  const name = nameReplacer(logicalIds);
  const normalized = new Map<string, AuthorizedCall>();
  for (const call of calls) {
    const context = Object.entries(call.context)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, normalizeValue(key, value, name)] as const);
    const principal = 'role' in call.principal ? { role: name(call.principal.role) } : call.principal;
    const { action, judgedBy, decision } = call;
    const line: AuthorizedCall = {
      principal,
      action,
      resource: name(call.resource),
      context: Object.fromEntries(context),
      judgedBy,
      decision,
    };
    normalized.set(JSON.stringify(line), line);
  }
  return [...normalized].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, call]) => call);
}

function normalizeValue(
  key: string,
  value: string | readonly string[],
  name: (text: string) => string,
): string | readonly string[] {
  if (typeof value !== 'string') return value.map((one) => normalizeValue(key, one, name) as string).sort();
  if (value.startsWith('arn:')) return name(value);
  return TAG.test(key) || key === 's3:prefix' ? name(`:${value}`).slice(1) : value;
}

/** Replaces physical ids anywhere, and what is random or counted in the last part of an ARN. */
function nameReplacer(logicalIds: LogicalIds): (text: string) => string {
  const physical = Object.keys(logicalIds)
    .filter((id) => id !== '')
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let rest = text;
    // Placeholders without digits until numbers are replaced, because logical ids contain digits.
    const found: string[] = [];
    for (const id of physical) {
      if (!rest.includes(id)) continue;
      found.push(`\${${logicalIds[id]}}`);
      rest = rest.replaceAll(whole(id), `\u0000${String.fromCharCode(0xe000 + found.length - 1)}`);
    }
    const own = rest.startsWith('arn:') ? rest.split(':', 5).join(':').length : 0;
    const folded = rest.slice(own).replace(UUID, '0').replace(DIGEST, '0').replace(NUMBER, '$10');
    return (rest.slice(0, own) + folded).replaceAll(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: no name contains NUL, so it stands for placeholders
      /\u0000([\ue000-\uf8ff])/g,
      (_, mark: string) => found[mark.charCodeAt(0) - 0xe000] ?? '',
    );
  };
}

/** Matches a physical id that is a whole name: the name of a repository may begin those of jobs. */
function whole(id: string): RegExp {
  return new RegExp(`(?<![^:/])${id.replaceAll(/[^\w-]/g, '\\$&')}(?![^:/])`, 'g');
}

/** A trace as text: one JSON object a line. */
export function formatTrace(calls: readonly AuthorizedCall[]): string {
  return calls.map((call) => `${JSON.stringify(call)}\n`).join('');
}

/** The calls of a trace that `formatTrace` wrote. */
export function parseTrace(text: string): AuthorizedCall[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuthorizedCall);
}
