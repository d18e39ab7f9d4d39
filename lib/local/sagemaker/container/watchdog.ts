/** One small process beside the service that ends the containers should the service die abruptly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class Watchdog {
  readonly #guard: ChildProcess;
  #closing = false;

  /** @param warn told when the guard is lost, since from then on an abrupt death would leave containers behind */
  constructor(warn: (message: string) => void) {
    const script = fileURLToPath(new URL('./guard.ts', import.meta.url));
    // Detached: in a group of its own, so that signals to the service's group do not reach it.
    this.#guard = spawn(process.execPath, [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    this.#guard.stdin?.on('error', () => {});
    this.#guard.on('error', (error) => warn(`the watchdog could not be started: ${error.message}`));
    this.#guard.on('exit', (code) => {
      if (!this.#closing) warn(`the watchdog ended by itself, exit code: ${code}`);
    });
    // It must not keep the service's process from ending.
    this.#guard.unref();
  }

  /** From now on, this process group ends when the service does. */
  watch(group: number): void {
    this.#guard.stdin?.write(`watch ${group}\n`);
  }

  /** The group has ended; its number may come to belong to strangers. */
  forget(group: number): void {
    this.#guard.stdin?.write(`forget ${group}\n`);
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#guard.exitCode !== null || this.#guard.signalCode !== null) return;
    // Now its end is waited for, so it must keep the process alive until then.
    this.#guard.ref();
    const exited = once(this.#guard, 'exit');
    this.#guard.stdin?.end();
    await exited;
  }
}
