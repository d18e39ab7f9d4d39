import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { measureTree } from './process-tree.ts';
import { judge } from './verdict.ts';

const expected = new Map([
  ['load-1', 'PhotosRejected'],
  ['load-10', undefined],
]);
const refused = { name: 'load-1-0a', status: 'FAILED', error: 'PhotosRejected' };
const working = { name: 'load-10-0b', status: 'RUNNING' };

test('one run for each upload, which ended as it should', () => {
  expect(judge(expected, [refused, working])).toEqual({ lost: [], doubled: [], wrong: [] });
});

test('lost, doubled and wrong runs are named', () => {
  expect(judge(expected, [refused]).lost).toEqual(['load-10']);
  expect(judge(expected, [refused, working, { ...refused, name: 'load-1-0c' }]).doubled).toEqual(['load-1']);
  expect(judge(expected, [{ ...refused, error: 'States.Timeout' }, working]).wrong).toEqual([
    'load-1-0a: FAILED States.Timeout',
  ]);
  expect(judge(expected, [refused, { ...working, status: 'ABORTED' }]).wrong).toEqual([
    'load-10-0b: ABORTED',
  ]);
});

test('the memory of a tree includes children in process groups of their own', async () => {
  const before = measureTree(process.pid);
  const script = 'globalThis.all = Buffer.alloc(100e6, 1); console.log("ready"); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ['-e', `/* lambda-runtime.ts */ ${script}`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await once(child.stdout, 'data');
    const after = measureTree(process.pid);
    expect(after.rss - before.rss).toBeGreaterThan(90e6);
    expect(after.processes).toBe(before.processes + 1);
    expect(after.lambdas).toBe(before.lambdas + 1);
    if (after.pss !== undefined) expect(after.pss).toBeLessThanOrEqual(after.rss);
  } finally {
    child.kill('SIGKILL');
  }
});
