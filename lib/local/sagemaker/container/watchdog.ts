/** One small process beside the service that ends the containers should the service die abruptly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A guard that cannot live, such as one without memory, is not started for ever. */
const MOST_STARTS = 5;

export class Watchdog {
  readonly #warn: (message: string) => void;
  readonly #groups = new Set<number>();
  #guard: ChildProcess;
  #starts = 0;
  #closing = false;

  /** @param warn told when a guard is lost; another one takes its place, knowing what it watched */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
    this.#guard = this.#start();
  }

  /** From now on, this process group ends when the service does. */
  watch(group: number): void {
    this.#groups.add(group);
    this.#tell(`watch ${group}`);
  }

  /** The group has ended; its number may come to belong to strangers. */
  forget(group: number): void {
    this.#groups.delete(group);
    this.#tell(`forget ${group}`);
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (hasEnded(this.#guard)) return;
    // Now its end is waited for, so it must keep the process alive until then.
    this.#guard.ref();
    const exited = once(this.#guard, 'exit');
    this.#guard.stdin?.end();
    await exited;
  }

  #start(): ChildProcess {
    this.#starts += 1;
    const script = fileURLToPath(new URL('./guard.ts', import.meta.url));
    // Detached: in a group of its own, so that signals to the service's group do not reach it.
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
    const again = this.#starts < MOST_STARTS;
    this.#warn(`the watchdog ended by itself, exit code: ${code}${again ? '; another takes its place' : ''}`);
    if (!again) return;
    this.#guard = this.#start();
    for (const group of this.#groups) this.#tell(`watch ${group}`);
  }

  #tell(line: string): void {
    this.#guard.stdin?.write(`${line}\n`);
  }
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}
