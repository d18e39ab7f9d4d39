/** Judges traced calls by given policies, with the evaluator that the local cloud uses, in one process for all. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { AuthorizedCall, Decision } from '../../../lib/local/iam/trace.ts';
import { type DeployedPolicy, unquoted } from './deployed.ts';

const ROOT = join(import.meta.dirname, '../../..');

export interface Question {
  readonly call: AuthorizedCall;
  readonly policies: readonly DeployedPolicy[];
}

export type Verdict = Decision | 'CannotJudge';

/** @returns the decision on each question, in their order */
export function judge(questions: readonly Question[]): Verdict[] {
  const { status, stdout, stderr } = spawnSync(
    join(ROOT, '.venv/bin/python'),
    ['-m', 'authorization.judge'],
    {
      cwd: join(ROOT, 'lib/local/emulator'),
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
      encoding: 'utf8',
      input: questions.map((question) => `${JSON.stringify(asked(question))}\n`).join(''),
      maxBuffer: 1 << 28,
    },
  );
  if (status !== 0) throw new Error(`the evaluator failed: ${stderr}`);
  const verdicts = stdout.trim().split('\n');
  if (verdicts.length !== questions.length) throw new Error(`${verdicts.length} answers: ${stderr}`);
  return verdicts.map((line) => JSON.parse(line).decision);
}

function asked({ call, policies }: Question): object {
  const speaking = policies.filter((policy) => speaksFor(policy, call));
  const documents = (kind: DeployedPolicy['kind']): { Statement: unknown[] }[] =>
    speaking
      .filter((policy) => policy.kind === kind)
      .map(({ statements }) => ({ Statement: [...statements] }));
  const merged = (kind: DeployedPolicy['kind']): { Statement: unknown[] } => ({
    Statement: documents(kind).flatMap(({ Statement }) => Statement),
  });
  return {
    call: JSON.parse(unquoted(JSON.stringify(call))),
    identity: documents('identity'),
    resource: merged('resource'),
    trust: merged('trust'),
  };
}

/** Returns true for a policy by which a call is judged: the caller's, or the resource's. */
export function speaksFor(
  { kind, of }: DeployedPolicy,
  { principal, resource, judgedBy }: AuthorizedCall,
): boolean {
  if (kind === 'identity') return 'role' in principal && of.includes(unquoted(principal.role));
  if ((kind === 'trust') !== (judgedBy === 'trust')) return false;
  const asked = unquoted(resource);
  return of.some(
    (owner) =>
      asked === owner ||
      (kind === 'resource' && /^[/:]/.test(asked.slice(owner.length)) && asked.startsWith(owner)),
  );
}
