/** Refused command lines: their exit code and message, never silence and never a stack trace. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIELDS } from '../../lib/cli/flags.ts';
import { main } from '../../lib/cli/main.ts';
import { seen } from './seen.ts';

const example = join(import.meta.dirname, '../../examples/toy');

const call = (...args: string[]) => seen(() => main(args));

test.each([
  [['plan', 'nowhere', '--set', 'steps'], 'field=value'],
  [['plan', 'nowhere', '--set', '=5'], 'field=value'],
  [['plan', 'nowhere', '--set', '__proto__.category=dog'], 'field=value'],
  [['plan', 'nowhere', '--set', 'advanced.=5'], 'field=value'],
  [['run', '--local', '.', '--subject', '../x'], '../x'],
  [['run', '--local', '.', '--subject', ''], 'letters, digits'],
  [['plan'], 'path'],
  [['plan', 'nowhere', '--colour'], '--colour'],
  [['status', '--json', '--data'], '--data'],
  [['generate', 'toy-0a1b2c3d'], 'prompt'],
  [['generate', 'toy-0a1b2c3d', ' '], 'no word'],
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '-n', '65'], '1 to 64'],
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '-n', 'many'], 'whole number'],
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '--seed', '3000000000'], '0 to 2000000000'],
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '--of', 'artist'], 'teacher'],
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '--max-usd', 'Infinity'], 'above 0'],
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '--seed', ' '], 'whole number'],
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '--local', '--stack', 'Proxytune'], 'one of them'],
])('%j', async (args, words) => {
  const { code, printed } = await call(...args);
  expect(code).toBe(2);
  expect(printed).toContain(words);
  expect(printed).not.toMatch(/\n\s+at /);
});

/** A wrong value of each field that has a flag, and what is said of it. */
const WRONG = {
  category: ['Dog!', 'small letters'],
  teacher: ['dalle', '"sdxl" or "sd3-medium"'],
  student: ['gpt', '"llamagen-xl"'],
  method: ['magic', '"proxy" or "direct-lora"'],
  preset: ['quick', '"draft" or "standard" or "best"'],
  tokenWord: [' ', 'TokenWordUnusable'],
  proxies: ['many', 'proxies: "many": must be a whole number'],
  seed: ['-1', 'seed: -1: must be at least 0'],
  maxUsd: ['0', 'maxUsd: 0: must be above 0'],
  synthesis: ['lambda', '"transform" or "spot"'],
  curation: ['maybe', 'curation: "maybe": must be true or false'],
  adaptiveProxies: ['1', 'adaptiveProxies: 1: must be true or false'],
  consent: ['yes', 'consent: "yes": must be true (--consent)'],
} as const;
/** Those whose flag takes no value: they can be wrong by --set and in the file only. */
const SWITCHES: readonly string[] = ['curation', 'adaptiveProxies', 'consent'];

test.each(FIELDS)('a wrong %s is refused alike by flag, by --set and in the file', async (field) => {
  const [value, words] = WRONG[field];
  const right = { category: 'toy', consent: true };
  const printed: string[] = [];
  const refused = async (dir: string, ...args: string[]): Promise<void> => {
    for (const verb of [['plan'], ['run', '--local']]) {
      // A run refuses the word for the tokenizers only once it is planned.
      if (field === 'tokenWord' && verb[0] === 'run') continue;
      const ended = await call(...verb, dir, ...args);
      expect(ended).toMatchObject({ code: 3, printed: expect.stringContaining(words) });
      printed.push(ended.printed);
    }
  };
  const dir = mkdtempSync(join(tmpdir(), 'proxytune-usage-'));
  writeFileSync(join(dir, 'subject.json'), JSON.stringify(right));
  const flag = `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (!SWITCHES.includes(field)) await refused(dir, flag, value);
  await refused(dir, '--set', `${field}=${value}`);
  const inFile = /^-?\d+$/.test(value) ? Number(value) : value;
  writeFileSync(join(dir, 'subject.json'), JSON.stringify({ ...right, [field]: inFile }));
  await refused(dir);
  rmSync(dir, { recursive: true });
  expect(new Set(printed).size).toBe(1);
});

test('faults in flags are reported all at once, with those of --set and of the file', async () => {
  const flags = ['--proxies', 'many', '--seed', ' ', '--teacher', 'dalle', '--max-usd', '1e999'];
  const { code, printed } = await call('plan', example, ...flags, '--set', 'advanced.learn.steps=x');
  expect(code).toBe(3);
  for (const field of [
    'proxies: "many"',
    'seed: " "',
    'teacher: "dalle"',
    'maxUsd: "1e999"',
    'advanced.learn.steps: "x"',
  ])
    expect(printed).toContain(field);
  expect((await call('plan', example, '--set', 'steps', '--set', '=5')).printed).toContain(
    'Given: steps, =5',
  );
});

test('faults in the options of generate are reported all at once', async () => {
  const { code, printed } = await call(
    'generate',
    'toy-0a1b2c3d',
    '!',
    '-n',
    'many',
    '--of',
    'me',
    '--seed',
    '-1',
  );
  expect(code).toBe(2);
  expect(printed).toContain('Given: -n many; --of me; --seed -1; "!"');
});

test('with --json an error is one object', async () => {
  const { code, printed } = await call('plan', 'nowhere', '--json');
  expect(code).toBe(2);
  expect(JSON.parse(printed)).toEqual({
    error: 'FolderMissing',
    message: expect.stringContaining('What to do:'),
  });
});

test('the stack trace comes with --debug only', async () => {
  expect((await call('check', 'nowhere')).printed).not.toMatch(/\n\s+at /);
  expect((await call('check', 'nowhere', '--debug')).printed).toMatch(/\n\s+at /);
});

test('a setting may go below one that was null', async () => {
  const set = ['--set', 'advanced=null', '--set', 'advanced.learn.steps=0'];
  const { code, printed } = await call('plan', example, ...set);
  expect(code).toBe(3);
  expect(printed).toContain('advanced.learn.steps: 0');
});

test.each([
  ['null', 'not a JSON object'],
  ['[]', 'not a JSON object'],
  ['5', 'not a JSON object'],
  [`{"category":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 'nested too deeply'],
  [`{"category":"${'x'.repeat(70_000)}"}`, 'too long'],
  ['', 'not valid JSON'],
])('a subject.json that is none is refused, whatever the flags: %.20s', async (content, words) => {
  const dir = mkdtempSync(join(tmpdir(), 'proxytune-usage-'));
  writeFileSync(join(dir, 'subject.json'), content);
  for (const verb of [['plan'], ['run', '--local']]) {
    const { code, printed } = await call(...verb, dir, '--category', 'dog', '--consent');
    expect(code).toBe(3);
    expect(printed).toContain(`RequestInvalid: subject.json `);
    expect(printed).toContain(words);
    expect(printed).not.toContain('starting');
  }
  rmSync(dir, { recursive: true });
});

test('a folder named subject.json has another error than bad JSON', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'proxytune-usage-'));
  mkdirSync(join(dir, 'subject.json'));
  const { code, printed } = await call('run', '--local', dir, '--category', 'dog', '--consent');
  rmSync(dir, { recursive: true });
  expect(code).toBe(3);
  expect(printed).toContain('RequestInvalid: subject.json cannot be read');
});
