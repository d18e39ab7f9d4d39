/** A small separate process that ends the containers if the service dies abruptly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Limits restarts of a guard that keeps failing, for example for lack of memory. */
const MOST_STARTS = 5;

export class Watchdog {
  readonly #warn: (message: string) => void;
  readonly #groups = new Set<number>();
  #guard: ChildProcess;
  #starts = 0;
  #closing = false;

  /** @param warn - called when a guard has failed; it is replaced by one that watches the same groups */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
    this.#guard = this.#start();
  }

  /** Makes a process group end with the service. */
  watch(group: number): void {
    this.#groups.add(group);
    this.#send(`watch ${group}`);
  }

  /** Stops watching a group that has ended, because its number may be reused. */
  forget(group: number): void {
    this.#groups.delete(group);
    this.#send(`forget ${group}`);
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (hasEnded(this.#guard)) return;
    // Keep this process alive until the guard has ended.
    this.#guard.ref();
    const exited = once(this.#guard, 'exit');
    this.#guard.stdin?.end();
    await exited;
  }

  #start(): ChildProcess {
    this.#starts += 1;
    const script = fileURLToPath(new URL('./guard.ts', import.meta.url));
    // Detached: in its own process group, so that signals to the service's group do not reach it.
    const guard = spawn(process.execPath, [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    guard.stdin?.on('error', () => {});
    guard.on('error', (error) => this.#warn(`the watchdog could not be started: ${error.message}`));
    guard.on('exit', (code) => this.#replace(code));
    // It must not keep the service's process from ending.
    guard.unref();
    return guard;
  }

  #replace(code: number | null): void {
    if (this.#closing) return;
    const restart = this.#starts < MOST_STARTS;
    this.#warn(`the watchdog ended unexpectedly, exit code: ${code}${restart ? '; restarting it' : ''}`);
    if (!restart) return;
    this.#guard = this.#start();
    for (const group of this.#groups) this.#send(`watch ${group}`);
  }

  #send(line: string): void {
    this.#guard.stdin?.write(`${line}\n`);
  }
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}
