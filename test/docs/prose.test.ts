/** Documents are readable in small pieces, and the paths in them exist. */
import {
  cells,
  documents,
  foldersIn,
  missingPaths,
  paragraphs,
  pathsIn,
  read,
  wordCount,
} from './documents.ts';

const LONGEST_PARAGRAPH = 120;
const LONGEST_CELL = 60;

const long = (parts: readonly string[], most: number): string[] =>
  parts.filter((part) => wordCount(part) > most).map((part) => part.slice(0, 60));

test.each(documents)('every path in %s exists', (file) => {
  expect(missingPaths(read(file))).toEqual([]);
});

test('a path that does not exist is found, in prose, in code and before a placeholder', () => {
  expect(missingPaths('Look at `lib/core/plan/plan.ts`, lib/core/none.ts.')).toEqual(['lib/core/none.ts']);
  expect(missingPaths('    .venv/bin/python containers/none/tool.py --out bin\n')).toEqual([
    'containers/none/tool.py',
  ]);
  expect(missingPaths('`lib/nowhere/<family>/`, `containers/models/…`')).toEqual(['lib/nowhere']);
});

test('the documents name many paths', () => {
  expect(documents.flatMap((file) => pathsIn(read(file))).length).toBeGreaterThan(100);
});

test.each(documents)('%s has no long paragraphs and table cells', (file) => {
  expect(long(paragraphs(read(file)), LONGEST_PARAGRAPH)).toEqual([]);
  expect(long(cells(read(file)), LONGEST_CELL)).toEqual([]);
});

test('a long paragraph, list item or cell is found', () => {
  const words = (count: number): string => 'word '.repeat(count).trim();
  const text = `# Title\n\n${words(121)}\n\n- ${words(60)}\n- ${words(61)}\n- ${words(121)}\n`;
  expect(long(paragraphs(text), LONGEST_PARAGRAPH)).toHaveLength(2);
  expect(long(cells(`| a | b |\n|---|---|\n| ${words(60)} | ${words(61)} |`), LONGEST_CELL)).toHaveLength(1);
});

test('the architecture lists every package of both languages', () => {
  const section = /^## The code$.*?^## /ms.exec(read('docs/architecture.md'))?.[0] ?? '';
  const listed = [...section.matchAll(/^\| `([\w/]+)\/` \|/gm)].map((hit) => hit[1] ?? '');
  const packages = [
    'bin',
    ...foldersIn('lib').map((name) => `lib/${name}`),
    ...foldersIn('lib/core').map((name) => `lib/core/${name}`),
    'lambdas',
    ...foldersIn('containers/proxytune').map((name) => `proxytune/${name}`),
    ...foldersIn('containers/dev').map((name) => `dev/${name}`),
  ];
  expect(packages.length).toBeGreaterThan(30);
  expect([...listed].sort()).toEqual([...packages].sort());
});
