/** The lock of the data folder and of the set-up: one of several real processes gets it, whatever it finds. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockOwner, tryLock } from '../../lib/setup/process-lock.mjs';

const TAKERS = 6;
const TRIALS = 60;
const folder = mkdtempSync(join(tmpdir(), 'proxytune-lock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

class Taker {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    const script = join(import.meta.dirname, 'fixtures/lock-taker.mjs');
    this.process = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.process.stdout === null) throw new Error('no output');
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  async heard(): Promise<string> {
    return (await this.#lines.next()).value ?? 'ended';
  }

  end(): void {
    this.process.kill('SIGKILL');
  }
}

/** Leftovers of a process that was killed, or of an earlier version. */
const LEFT: readonly ((lock: string) => void)[] = [
  () => {},
  (lock) => writeFileSync(lock, '999999999 1'),
  (lock) => {
    mkdirSync(lock);
    writeFileSync(join(lock, '3'), '999999999 1');
    writeFileSync(join(lock, '4.999999999'), '');
  },
  // Of a process that runs, but has started at another time.
  (lock) => {
    mkdirSync(lock);
    writeFileSync(join(lock, '41'), `${process.pid} 1`);
  },
  (lock) => {
    mkdirSync(lock);
    writeFileSync(join(lock, '9'), '');
  },
  // The largest number, which has no next one.
  (lock) => {
    mkdirSync(lock);
    writeFileSync(join(lock, '999999999999999'), '999999999 1');
  },
];

test('exactly one of six processes gets a free or stale lock, in every trial', async () => {
  const takers = Array.from({ length: TAKERS }, () => new Taker());
  try {
    for (const taker of takers) expect(await taker.heard()).toBe('ready');
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const lock = join(folder, `trial-${trial}`);
      LEFT[trial % LEFT.length]?.(lock);
      // Twice, so that the second time begins with a lock that was released.
      for (const round of ['first', 'second']) {
        const time = Date.now() + 15;
        for (const taker of takers) taker.tell(`${lock} ${time}`);
        const answers = await Promise.all(takers.map((taker) => taker.heard()));
        expect({ trial, round, taken: answers.filter((answer) => answer === 'taken').length }).toEqual({
          trial,
          round,
          taken: 1,
        });
        expect(lockOwner(lock)).toBe(takers[answers.indexOf('taken')]?.process.pid);
        expect(tryLock(lock)).toBeUndefined();
        for (const taker of takers) taker.tell('release');
        for (const taker of takers) expect(await taker.heard()).toBe('released');
        expect(lockOwner(lock)).toBeUndefined();
      }
      expect(readdirSync(lock)).toHaveLength(1);
    }
  } finally {
    for (const taker of takers) taker.end();
  }
}, 120_000);

test('takers that keep releasing it never hold it together', async () => {
  const lock = join(folder, 'contended');
  const takers = Array.from({ length: 4 }, () => new Taker());
  let holders = 0;
  let turns = 0;
  try {
    await Promise.all(
      takers.map(async (taker) => {
        await taker.heard();
        while (turns < 150) {
          taker.tell(`${lock} 0`);
          if ((await taker.heard()) !== 'taken') continue;
          turns += 1;
          holders += 1;
          // Long enough for another one to report that it holds it too.
          await sleep(2);
          expect(holders).toBe(1);
          holders -= 1;
          taker.tell('release');
          await taker.heard();
        }
      }),
    );
  } finally {
    for (const taker of takers) taker.end();
  }
}, 60_000);

test('the lock of a process ends when it is killed', async () => {
  const lock = join(folder, 'killed');
  const taker = new Taker();
  await taker.heard();
  taker.tell(`${lock} 0`);
  expect(await taker.heard()).toBe('taken');
  expect(tryLock(lock)).toBeUndefined();
  const ended = new Promise((done) => taker.process.once('exit', done));
  taker.end();
  await ended;
  const release = tryLock(lock);
  expect(lockOwner(lock)).toBe(process.pid);
  release?.();
});

test('a killed process that nobody has waited for does not keep the lock', async () => {
  const lock = join(folder, 'zombie');
  const script = join(import.meta.dirname, 'fixtures/lock-taker.mjs');
  // The shell becomes a program that never waits for the child that it started before.
  const parent = spawn(
    '/bin/sh',
    ['-c', '"$0" "$1" <&3 & echo $!; exec sleep 60', process.execPath, script],
    {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    },
  );
  const lines = createInterface({ input: parent.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  (parent.stdio[3] as NodeJS.WritableStream).write(`${lock}\n`);
  while (lockOwner(lock) !== pid) await sleep(10);
  process.kill(pid, 'SIGKILL');
  while (lockOwner(lock) !== undefined) await sleep(10);
  // It still exists.
  expect(process.kill(pid, 0)).toBe(true);
  tryLock(lock)?.();
  expect(lockOwner(lock)).toBeUndefined();
  parent.kill('SIGKILL');
});
