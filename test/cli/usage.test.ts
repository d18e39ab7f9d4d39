/** Wrong arguments: exit code 2 and words, never silence and never a stack trace. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { main } from '../../lib/cli/main.ts';

const example = join(import.meta.dirname, '../../examples/toy');

async function call(...args: string[]): Promise<{ code: number; told: string }> {
  let told = '';
  const catching = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      told += String(text);
      return true;
    }),
  );
  try {
    return { code: await main(args), told };
  } finally {
    for (const spy of catching) spy.mockRestore();
  }
}

test.each([
  [['plan', 'nowhere', '--set', 'steps'], 'field=value'],
  [['plan', 'nowhere', '--set', '=5'], 'field=value'],
  [['plan', 'nowhere', '--proxies', 'many'], 'above 0'],
  [['plan', 'nowhere', '--set', '__proto__.category=dog'], 'field=value'],
  [['plan', 'nowhere', '--set', 'advanced.=5'], 'field=value'],
  [['plan', 'nowhere', '--proxies', '1e999'], 'above 0'],
  [['plan', 'nowhere', '--seed', ' '], 'whole number'],
  [['plan', 'nowhere', '--seed', '-1'], 'whole number'],
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
  [['generate', 'toy-0a1b2c3d', 'a {token} toy', '--local', '--stack', 'Proxytune'], 'one of them'],
])('%j', async (args, words) => {
  const { code, told } = await call(...args);
  expect(code).toBe(2);
  expect(told).toContain(words);
  expect(told).not.toMatch(/\n\s+at /);
});

test('with --json an error is one object', async () => {
  const { code, told } = await call('plan', 'nowhere', '--json');
  expect(code).toBe(2);
  expect(JSON.parse(told)).toEqual({
    error: 'FolderMissing',
    message: expect.stringContaining('What to do:'),
  });
});

test('the stack trace comes with --debug only', async () => {
  expect((await call('check', 'nowhere')).told).not.toMatch(/\n\s+at /);
  expect((await call('check', 'nowhere', '--debug')).told).toMatch(/\n\s+at /);
});

test('a setting may go below one that was null', async () => {
  const set = ['--set', 'advanced=null', '--set', 'advanced.learn.steps=0'];
  const { code, told } = await call('plan', example, ...set);
  expect(code).toBe(3);
  expect(told).toContain('advanced.learn.steps: 0');
});

test.each([
  ['null', 'no JSON object'],
  ['[]', 'no JSON object'],
  ['5', 'no JSON object'],
  [`{"category":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 'nested too deeply'],
  [`{"category":"${'x'.repeat(70_000)}"}`, 'too long'],
  ['', 'not valid JSON'],
])('a subject.json that is none is refused, whatever the flags: %.20s', async (content, words) => {
  const dir = mkdtempSync(join(tmpdir(), 'proxytune-usage-'));
  writeFileSync(join(dir, 'subject.json'), content);
  for (const verb of [['plan'], ['run', '--local']]) {
    const { code, told } = await call(...verb, dir, '--category', 'dog', '--consent');
    expect(code).toBe(3);
    expect(told).toContain(`RequestInvalid: subject.json `);
    expect(told).toContain(words);
    expect(told).not.toContain('starting');
  }
  rmSync(dir, { recursive: true });
});

test('a folder under the name subject.json is told apart from bad JSON', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'proxytune-usage-'));
  mkdirSync(join(dir, 'subject.json'));
  const { code, told } = await call('run', '--local', dir, '--category', 'dog', '--consent');
  rmSync(dir, { recursive: true });
  expect(code).toBe(3);
  expect(told).toContain('RequestInvalid: subject.json cannot be read');
});
