/** The memory of a process and all its descendants, from /proc where there is one, else from ps. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** Resident memory in bytes; pages that processes share count in each. */
  readonly rss: number;
}

export interface TreeMemory {
  /** The sum of resident memory in bytes. */
  readonly rss: number;
  /** The sum in which shared pages count once in all. Undefined where the system does not tell. */
  readonly pss: number | undefined;
  readonly processes: number;
  /** Execution environments of functions. */
  readonly lambdas: number;
}

/** A page of memory on Linux on x86 and most of ARM. */
const PAGE_BYTES = 4096;
const LAMBDA = 'lambda-runtime.ts';
const PROC = existsSync('/proc/self/stat');

export function measureTree(root: number): TreeMemory {
  const tree = descendants(PROC ? fromProc() : fromPs(), root);
  const shares = tree.map(({ pid }) => proportionalSize(pid));
  return {
    rss: sum(tree.map(({ rss }) => rss)),
    pss: PROC ? sum(shares) : undefined,
    processes: tree.length,
    lambdas: tree.filter(({ command }) => command.includes(LAMBDA)).length,
  };
}

function descendants(processes: readonly Process[], root: number): Process[] {
  const found = processes.filter(({ pid }) => pid === root);
  for (const one of found) found.push(...processes.filter(({ parent }) => parent === one.pid));
  return found;
}

function fromProc(): Process[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((name) => {
    // A process may end while it is read.
    const stat = readText(`/proc/${name}/stat`);
    const memory = readText(`/proc/${name}/statm`);
    if (stat === undefined || memory === undefined) return [];
    // The name of the program, in brackets, may contain spaces.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const command = (readText(`/proc/${name}/cmdline`) ?? '').replaceAll('\0', ' ');
    return [{ pid: Number(name), parent, command, rss: Number(memory.split(' ')[1]) * PAGE_BYTES }];
  });
}

function fromPs(): Process[] {
  const lines = execFileSync('ps', ['-axo', 'pid=,ppid=,rss=,command='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [, pid, parent, kilobytes, command = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid ? [{ pid: Number(pid), parent: Number(parent), command, rss: Number(kilobytes) * 1024 }] : [];
  });
}

function proportionalSize(pid: number): number {
  const [, kilobytes = '0'] = /^Pss:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/smaps_rollup`) ?? '') ?? [];
  return Number(kilobytes) * 1024;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
