/** A "container": the container's command in its own process group on this machine. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { JobFailure } from '../errors.ts';
import type { Watchdog } from './watchdog.ts';

export interface ContainerOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** The container's output is appended to this file. */
  readonly logFile: string;
  readonly watchdog: Watchdog;
}

export class Container {
  /** The exit code as reported by Docker: 128 plus the signal's number if a signal ended the process. */
  readonly exited: Promise<number>;
  readonly #pid: number;
  #running = true;

  private constructor(pid: number, exited: Promise<number>) {
    this.#pid = pid;
    this.exited = exited.finally(() => {
      this.#running = false;
    });
  }

  /** @throws JobFailure if the command cannot be started */
  static start({ command, env, folder, logFile, watchdog }: ContainerOptions): Promise<Container> {
    const [program = '', ...args] = command;
    const log = openSync(logFile, 'a');
    // The child writes the log file directly, not through a pipe, so that it is complete even if this process dies.
    const child = spawn(program, args, { cwd: folder, env, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    const pid = child.pid;
    if (pid !== undefined) watchdog.watch(pid);
    return new Promise((resolve, reject) => {
      child.once('error', (error) => {
        reject(
          new JobFailure(`ClientError: Cannot start the container's command ${program}: ${error.message}`),
        );
      });
      if (pid === undefined) return;
      const exited = new Promise<number>((settle) => {
        child.once('exit', (code, signal) => {
          // All processes of a container end with its first one.
          signalGroup(pid, 'SIGKILL');
          watchdog.forget(pid);
          settle(code ?? 128 + signalNumber(signal));
        });
      });
      resolve(new Container(pid, exited));
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** Sends SIGTERM to the first process, as Docker does, and SIGKILL to all after the grace period. */
  async stop(graceSeconds: number): Promise<number> {
    if (!this.#running) return this.exited;
    process.kill(this.#pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(this.#pid, 'SIGKILL'), graceSeconds * 1000);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}

const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = {
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

function signalNumber(signal: NodeJS.Signals | null): number {
  return (signal && SIGNAL_NUMBERS[signal]) ?? 1;
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has already ended.
  }
}
