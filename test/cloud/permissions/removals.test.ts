/**
 * Everything that the policies allow is needed: whatever is taken away, a call of the recorded passes is judged
 * otherwise. Judged with the evaluator of the local cloud.
 */
import type { AuthorizedCall } from '../../../lib/local/iam/trace.ts';
import { removeTemporary } from '../synthesize.ts';
import { deployedPolicies } from './deployed.ts';
import { EXCEPTIONS } from './exceptions.ts';
import { templates, templatesWithAllSettings } from './granted.ts';
import { judge, type Question, speaksFor } from './judge.ts';
import { list } from './policies.ts';
import { coversAction, type Removal, removals } from './removals.ts';
import { kindOf, recordedCalls } from './traces.ts';

afterAll(removeTemporary);

const usual = deployedPolicies(templates);
/** The policies of the lambdas that settings add; the others are the same again. */
const added = deployedPolicies(templatesWithAllSettings()).filter(({ id }) =>
  usual.every((policy) => policy.id !== id),
);
const policies = [...usual, ...added];
const recorded = recordedCalls();

/** Recorded calls on what has a policy against unencrypted requests, as such requests. On this machine there are none. */
const unencrypted: AuthorizedCall[] = recorded.flatMap((call) => {
  const guarded = policies.some(
    (policy) =>
      call.judgedBy === 'identity' &&
      speaksFor(policy, call) &&
      policy.statements.some(
        ({ Effect, Action }) => Effect === 'Deny' && coversAction(list(Action), call.action),
      ),
  );
  if (!guarded) return [];
  const old = { ...call.context, 's3:tlsversion': '1.1' };
  const plain = { ...call.context, 'aws:securetransport': 'false' };
  return [
    { ...call, context: plain, decision: 'Deny' as const },
    ...(call.action.startsWith('s3:') ? [{ ...call, context: old, decision: 'Deny' as const }] : []),
  ];
});
const calls = [...recorded, ...unencrypted];

test('today’s policies judge each recorded call as it was judged, and deny it unencrypted', () => {
  const verdicts = judge(calls.map((call) => ({ call, policies })));
  const otherwise = calls.flatMap((call, at) =>
    verdicts[at] === call.decision ? [] : [`${verdicts[at]}: ${kindOf(call)}, ${call.resource}`],
  );
  expect(otherwise).toEqual([]);
  expect(recorded.length).toBeGreaterThan(200);
});

test('each statement, action and resource that is taken away makes a call fail', () => {
  const all = policies.flatMap(removals);
  const asked: { removal: Removal; question: Question }[] = all.flatMap((removal) => {
    const others = policies.filter((policy) => policy !== removal.policy);
    return calls
      .filter((call) => coversAction(removal.actions, call.action) && speaksFor(removal.policy, call))
      .map((call) => ({ removal, question: { call, policies: [...others, removal.left] } }));
  });
  const verdicts = judge(asked.map(({ question }) => question));
  const noticed = new Set(
    asked.flatMap(({ removal, question }, at) => (verdicts[at] === question.call.decision ? [] : [removal])),
  );
  const unnoticed = all.filter((removal) => !noticed.has(removal)).map(({ what }) => what);
  const excepted = (what: string) => EXCEPTIONS.some((exception) => exception.what.test(what));
  expect(unnoticed.filter((what) => !excepted(what))).toEqual([]);
  expect(EXCEPTIONS.filter(({ what }) => !unnoticed.some((one) => what.test(one)))).toEqual([]);
  const statements = policies.flatMap((policy) => policy.statements).length;
  expect(added).not.toEqual([]);
  console.log(
    `${all.length} removals from ${statements} statements, ${noticed.size} caught; ` +
      `${unnoticed.length} are not needed by any call, for ${EXCEPTIONS.length} listed reason(s)`,
  );
});
