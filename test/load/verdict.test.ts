import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { alive } from '../local/emulator/helpers.ts';
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

/** A process that takes 100 MB, in a process group of its own, and says its id. */
const LARGE =
  '/* lambda-runtime.ts */ globalThis.all = Buffer.alloc(100e6, 1); console.log(process.pid); setInterval(() => {}, 1000)';

test('the memory of a tree includes children in process groups of their own', async () => {
  // Under a small process: the memory of this one may shrink meanwhile by more than the child takes.
  const start =
    "require('node:child_process').spawn(process.execPath, ['-e', process.env.LARGE], { detached: true, stdio: ['ignore', 'inherit', 'ignore'] })";
  const root = spawn(process.execPath, ['-e', start], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, LARGE },
  });
  const child = Number((await once(root.stdout, 'data'))[0]);
  try {
    const tree = measureTree(root.pid ?? 0);
    expect(tree).toMatchObject({ processes: 2, lambdas: 1 });
    expect(tree.rss).toBeGreaterThan(120e6);
    if (tree.pss !== undefined) expect(tree.pss).toBeLessThanOrEqual(tree.rss);
    // The root alone is far below that.
    process.kill(child, 'SIGKILL');
    while (measureTree(root.pid ?? 0).processes > 1) await sleep(20);
    expect(measureTree(root.pid ?? 0).rss).toBeLessThan(100e6);
  } finally {
    for (const pid of [child, root.pid ?? 0]) if (alive(pid)) process.kill(pid, 'SIGKILL');
  }
}, 30_000);
