import { setTimeout as sleep } from 'node:timers/promises';
import { forEachLimited } from '../../lib/aws/concurrency.ts';

const ITEMS = Array.from({ length: 20 }, (_, at) => at);

test('every item is worked on once, so many at a time', async () => {
  let most = 0;
  let now = 0;
  const done: number[] = [];
  await forEachLimited(ITEMS, 3, undefined, async (item) => {
    now += 1;
    most = Math.max(most, now);
    await sleep(1);
    now -= 1;
    done.push(item);
  });
  expect(done.sort((one, two) => one - two)).toEqual(ITEMS);
  expect(most).toBe(3);
});

test('once one has failed nothing starts, what has started is aborted and waited for, and the first reason is thrown', async () => {
  const started: number[] = [];
  let ended = 0;
  const work = async (item: number, signal: AbortSignal) => {
    started.push(item);
    if (item === 2) throw new Error('the first');
    await sleep(1000, undefined, { signal }).catch(() => {});
    ended += 1;
    signal.throwIfAborted();
    throw new Error('another');
  };
  await expect(forEachLimited(ITEMS, 3, undefined, work)).rejects.toThrow('the first');
  expect(started).toEqual([0, 1, 2]);
  expect(ended).toBe(2);
});

test('a signal ends the work with its own reason', async () => {
  const stop = new AbortController();
  const done: number[] = [];
  const work = async (item: number) => {
    done.push(item);
    if (item === 4) stop.abort(new Error('enough'));
  };
  await expect(forEachLimited(ITEMS, 2, stop.signal, work)).rejects.toThrow('enough');
  expect(done.length).toBeLessThan(7);
  await expect(forEachLimited([], 2, stop.signal, work)).rejects.toThrow('enough');
});
