/** The words of the codebase are the field's: no private word is left in sources, tests and docs. */
import { EXCEPTIONS, findings, findingsIn, relativeClauses, relativeClausesIn } from './words.ts';

test('no private word is left', () => {
  const left = findings().map(({ file, line, found, instead }) => `${file}:${line}: ${found} (${instead})`);
  expect(left).toEqual([]);
});

test('docstrings begin with a verb or a noun phrase', () => {
  expect(relativeClauses().map(({ file, line, found }) => `${file}:${line}: ${found}`)).toEqual([]);
});

test.each([
  ['a class', 'class AdapterLearner(ABC):', 'Learner'],
  ['a function', 'def loss_of(self, numbers, dropped):', 'loss of('],
  ['a method in camel case', 'markTold(identity)', 'Told'],
  ['a file name', 'containers/proxytune/proxies/room.py', 'room'],
  ['a message', 'This is no name for a subject', 'is no name'],
  ['a sentence', 'The best checkpoint is handed on.', 'handed on'],
])('%s with a private word is found', (_, line, found) => {
  expect(findingsIn('lib/planted.ts', line).map((finding) => finding.found)).toContain(found);
});

test.each([
  ['Python', 'lib/a.py', '"""What a job leaves."""', 1],
  ['TypeScript', 'lib/a.ts', '/**\n * Whether it is over.\n */', 1],
  ['a verb', 'lib/a.ts', '/** Checks whether it is over. */', 0],
])('relative clauses are counted: %s', (_, file, text, count) => {
  expect(relativeClausesIn(file, text)).toHaveLength(count);
});

test('words that only contain a private word are not', () => {
  expect(findingsIn('lib/planted.ts', 'broad threshold withheld benchmarks roadmap foretold')).toEqual([]);
});

test('every exception has a reason, and is still needed', () => {
  expect(EXCEPTIONS.filter(({ why }) => why.length < 10)).toEqual([]);
  const all = findings(['.'], []).length;
  const idle = EXCEPTIONS.filter((one) => findings(['.'], [one]).length === all);
  expect(idle.map(({ why }) => why)).toEqual([]);
});
