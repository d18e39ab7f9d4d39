/** Names that both languages use are written in names.json and nowhere else. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { names } from '../../lib/core/contract/names.ts';
import { namesSchema } from '../../lib/core/contract/names-schema.ts';

const root = join(import.meta.dirname, '../..');
const CODE = ['lib', 'lambdas', 'containers/proxytune'];
/** Files in which a literal has another meaning: [file, literal, reason]. */
const EXCEPTIONS: readonly (readonly [RegExp, string, string])[] = [
  [/^lib\/local\/sagemaker\//, 'model.tar.gz', 'this is the platform that the name is from'],
  [/^lib\/local\/sagemaker\//, '.out', 'this is the platform that the name is from'],
  [/^lib\/local\/deploy\/assembly\.ts$/, 'manifest.json', 'the manifest of a CDK assembly'],
  [/^lib\/cloud\/outputs\.ts$/, 'index.html', 'a sentence for the user'],
  [/^containers\/proxytune\/evaluation\/validation\.py$/, 'validation', 'a folder of the report'],
  [/^lib\/cli\/(generation|commands\/generate)/, 'index.html', 'a page that the CLI itself writes'],
];

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Names that no code would contain by chance, each with the form in which it would be written there. */
const FORMS: readonly (readonly [string, RegExp])[] = [
  ...Object.values(names.files).map((file) => form(file, `['"\`/}]${escaped(file)}['"\`]`)),
  ...Object.values(names.environment).map((name) => form(name, `['"\`]${name}['"\`]|\\b${name}:`)),
  ...[names.channels.samplesTeacher, names.channels.samplesStudent, names.channels.validation].map((name) =>
    form(name, `['"\`]${name}['"\`]`),
  ),
  ...Object.values(names.folders).map((name) => form(name, `checkpoints/teach/${name}`)),
  form(names.reportSlots.job, '<!-- proxytune:'),
  form(names.chunks.prefix, `['"\`/]${names.chunks.prefix}`),
  form(names.chunks.shardEnding, `['"\`}*]\\${names.chunks.shardEnding}['"\`]`),
  form('a channel', String.raw`\bChannelName: '|\b(optional_)?channel\(["']`),
  form('a seed stream', String.raw`\b2_?000_?000\b(?!_)`),
];

function form(name: string, pattern: string): readonly [string, RegExp] {
  return [name, new RegExp(pattern)];
}

/** The lines that are code: neither imports nor comments. Docstrings remain; they name no file in double quotes. */
function code(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s*(\/?\*|\/\/|#|import |\} from )/.test(line))
    .join('\n');
}

/** The names that a file writes out. */
function literals(file: string, all: string): string[] {
  const text = code(all);
  return FORMS.filter(
    ([name, pattern]) =>
      pattern.test(text) && !EXCEPTIONS.some(([where, what]) => where.test(file) && what === name),
  ).map(([name]) => name);
}

function sources(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...CODE], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed.split('\n').filter((file) => /\.(ts|py)$/.test(file));
}

test('no code writes out a name of names.json', () => {
  const found = sources().map((file) => ({
    file,
    names: literals(file, readFileSync(join(root, file), 'utf8')),
  }));
  expect(found.length).toBeGreaterThan(300);
  expect(found.filter((entry) => entry.names.length > 0)).toEqual([]);
});

test.each([
  ['a file', 'progress.json', "join(folder, 'progress.json')"],
  ['a file in Python', 'choice.json', 'record = folder / "choice.json"'],
  ['a variable', 'PROXYTUNE_ROLE', 'Environment: { PROXYTUNE_ROLE: role }'],
  ['a channel', 'a channel', 'folders.channel("base")'],
  ['an optional channel', 'a channel', 'folders.optional_channel("class")'],
  ['a channel of the plan', names.channels.samplesTeacher, `{ '${names.channels.samplesTeacher}': prefix }`],
  ['a chunk', 'chunk-', 'folder.glob("chunk-*.json")'],
  ['a shard', '.out', 'folder.rglob("*.out")'],
  ['a slot of the report', names.reportSlots.job, 'html.replace(/<!-- proxytune:job:([a-z]+) -->/, id)'],
  ['seeds', 'a seed stream', 'FIRST_SEED = 2_000_000'],
])('%s that is written out is found', (_what, name, line) => {
  expect(literals('lib/planted.ts', line)).toContain(name);
});

test('each exception is still needed', () => {
  const texts = sources().map((file) => [file, readFileSync(join(root, file), 'utf8')] as const);
  const unused = EXCEPTIONS.filter(([where, name]) => {
    const pattern = FORMS.find(([known]) => known === name)?.[1];
    return !texts.some(([file, text]) => where.test(file) && pattern?.test(code(text)));
  });
  expect(unused).toEqual([]);
});

test('names.json fits its schema', () => {
  expect(namesSchema.parse(names)).toEqual(names);
});
