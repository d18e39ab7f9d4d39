/** The checked-in traces of the pipeline's passes: every call that IAM judged, as `npm run traces` recorded it. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AuthorizedCall, parseTrace } from '../../../lib/local/iam/trace.ts';

export const TRACES = join(import.meta.dirname, '../traces');

/** @param pass - the name of a pass. @default - all passes */
export function recordedCalls(pass?: string): AuthorizedCall[] {
  const files = existsSync(TRACES) ? readdirSync(TRACES).filter((file) => file.endsWith('.jsonl')) : [];
  return files
    .filter((file) => pass === undefined || file === `${pass}.jsonl`)
    .flatMap((file) => parseTrace(readFileSync(join(TRACES, file), 'utf8')));
}

/** Names that are made from the time or at random, and what is recorded in their place. */
const FRESH: readonly (readonly [RegExp, string])[] = [
  [/(proxytune-\w+-import-[\w-]+?-)[0-9a-z]+(?=["/])/g, '$1t0'],
  // Six characters, as many as a policy asks for.
  [/(hugging-face-token-)\w+/g, '$1abcdef'],
];

/** Rewrites the trace of a pass, so that another recording of the same calls gives the same file. */
export function settle(pass: string): void {
  const file = join(TRACES, `${pass}.jsonl`);
  const text = FRESH.reduce((all, [name, settled]) => all.replace(name, settled), readFileSync(file, 'utf8'));
  const lines = [...new Set(text.split('\n').filter((line) => line !== ''))].sort();
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
}

/** Describes a call without values that depend on the run: who did what where, and which conditions it can meet. */
export function kindOf({ principal, action, resource, context, judgedBy, decision }: AuthorizedCall): string {
  const who = 'role' in principal ? principal.role : principal.service;
  const where = resource
    .replace(/(\$\{Data\w+\})\/(\w[\w-]*)\/.*/, '$1/$2/*')
    .replace(/(:(?:training-job|transform-job|model)\/).*/, '$1*')
    .replace(/(:log-stream:).*/, '$1*');
  return `${decision}: ${who} ${action} on ${where} by ${judgedBy} (${Object.keys(context).sort().join(', ')})`;
}

/**
 * Compares the calls of another run with the recorded ones: none is refused, and those of a kind that no trace has are
 * listed, because the loops over the policies do not know them.
 */
export function expectRecorded(calls: readonly AuthorizedCall[]): void {
  expect(calls.filter(({ decision }) => decision !== 'Allow')).toEqual([]);
  const known = new Set(recordedCalls().map(kindOf));
  const fresh = [...new Set(calls.map(kindOf))].filter((kind) => !known.has(kind)).sort();
  const kinds = new Set(calls.map(kindOf)).size;
  console.log(
    `${kinds} kinds of calls, ${fresh.length} of them not in test/cloud/traces${fresh.length > 0 ? '; npm run traces records them' : ''}`,
    ...fresh.map((kind) => `\n${kind}`),
  );
}
