/** Runs the command line in processes, for tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = join(import.meta.dirname, '../..');
const entryPoint = join(root, 'bin/proxytune.mjs');
export const EXAMPLE = join(root, 'examples/toy');

const alive = new Set<ChildProcess>();

/** Ends the processes that a failed test left; the entry point forwards the signal. */
export function endAll(): void {
  for (const child of alive) child.kill('SIGTERM');
}

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly seen: () => string;
}

/** Starts a command of the product. @param environment - added to the test's own. @default - none */
export function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Started {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [entryPoint, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  child.on('close', () => alive.delete(child));
  let out = '';
  let err = '';
  child.stdout?.on('data', (text) => {
    out += text;
  });
  child.stderr?.on('data', (text) => {
    err += text;
  });
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, out, err })));
  return { child, ended, seen: () => out };
}

/** Runs a command to its end. */
export const call = (...args: string[]): Promise<Ended> => start(args).ended;

/** Waits until the teacher has been trained for some steps. */
export async function untilTeaching({ seen, ended }: Started): Promise<void> {
  let over = false;
  ended.then(() => {
    over = true;
  });
  while (teachSteps(seen()) < 15) {
    if (over) throw new Error(`it ended before the training: ${(await ended).err}`);
    await sleep(100);
  }
}

function teachSteps(out: string): number {
  const line = out.split('\n').at(-2) ?? '{}';
  const stages: { stage: string; state: string; step: number }[] = JSON.parse(line).stages ?? [];
  return stages.find(({ stage, state }) => stage === 'teach' && state === 'running')?.step ?? 0;
}

/** Lists the processes with the data folder in their arguments or environment. */
function processesOf(folder: string): string[] {
  if (!existsSync('/proc/self/environ')) {
    return execFileSync('ps', ['axeww', '-o', 'pid,command'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(folder) && !line.includes('ps axeww'));
  }
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      try {
        return ['cmdline', 'environ'].some((file) =>
          readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(folder),
        );
      } catch {
        return false;
      }
    });
}

/** Waits until no process uses the data folder any longer, and fails if one stays. */
export async function untilNothingRuns(data: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (processesOf(data).length > 0 && Date.now() < deadline) await sleep(200);
  expect(processesOf(data)).toEqual([]);
}

/** Waits for a complete line of output that contains a text. */
export async function untilLine({ seen, ended }: Started, text: string): Promise<string> {
  let over = false;
  ended.then(() => {
    over = true;
  });
  for (;;) {
    const lines = seen().split('\n').slice(0, -1);
    const line = lines.find((candidate) => candidate.includes(text));
    if (line !== undefined) return line;
    if (over) throw new Error(`it ended without ${text}: ${(await ended).err}`);
    await sleep(100);
  }
}

/** Lists the child processes of a process. */
export function childrenOf(pid: number | undefined): number[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return rows.filter(([, parent]) => parent === pid).map(([own = 0]) => own);
}
