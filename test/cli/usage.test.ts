/** Wrong arguments: exit code 2 and words, never silence and never a stack trace. */
import { jest } from '@jest/globals';
import { main } from '../../lib/cli/main.ts';

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
  [['plan', 'nowhere', '--seed', '-1'], 'whole number'],
  [['plan'], 'path'],
  [['plan', 'nowhere', '--colour'], '--colour'],
  [['status', '--json', '--data'], '--data'],
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
