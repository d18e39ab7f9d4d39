import type { Clock } from '../clock.ts';
import { TimeoutError } from '../errors.ts';
import type { Json } from '../json.ts';

/**
 * The end of a task's attempt: the result, the callback, a timer or an interruption, whichever comes first.
 * The others have no effect from then on.
 */
export class Race {
  readonly #clock: Clock;
  readonly #outcome = Promise.withResolvers<Json>();
  readonly #cleanups: (() => void)[] = [];
  #open = true;
  #cancelHeartbeat: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Settles when the attempt has ended. */
  get outcome(): Promise<Json> {
    return this.#outcome.promise;
  }

  succeed(value: Json): void {
    this.#end();
    this.#outcome.resolve(value);
  }

  fail(error: unknown): void {
    this.#end();
    this.#outcome.reject(error);
  }

  /** Ends with the signal's reason when it is aborted. */
  failOn(signal: AbortSignal): void {
    const stop = (): void => this.fail(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    this.onEnd(() => signal.removeEventListener('abort', stop));
  }

  /** Fails with States.Timeout unless the attempt has ended by then. */
  failAfter(seconds: number): void {
    this.onEnd(this.#clock.schedule(seconds * 1000, () => this.fail(new TimeoutError())));
  }

  /** Restarts the heartbeat timeout: fails with a missed heartbeat unless called again in time. */
  beat(seconds: number): void {
    this.#cancelHeartbeat?.();
    if (!this.#open) return;
    this.#cancelHeartbeat = this.#clock.schedule(seconds * 1000, () =>
      this.fail(new TimeoutError({ missedHeartbeat: true })),
    );
  }

  /** Registers a cleanup for the end of the attempt. */
  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  #end(): void {
    this.#open = false;
    this.#cancelHeartbeat?.();
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }
}
