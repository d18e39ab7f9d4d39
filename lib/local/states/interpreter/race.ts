import type { Clock } from '../clock.ts';
import { StateError } from '../errors.ts';
import type { Json } from '../json.ts';

/**
 * What ends a task's attempt: the answer, the callback, a timer or an interruption, whichever comes first.
 * From that moment all else is void, even before the flow has taken notice.
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
    this.whenOver(() => signal.removeEventListener('abort', stop));
  }

  failAfter(seconds: number, error: string): void {
    this.whenOver(this.#clock.schedule(seconds * 1000, () => this.fail(new StateError(error))));
  }

  /** Ends with States.HeartbeatTimeout unless it is called again within the given time. */
  beat(seconds: number): void {
    this.#cancelHeartbeat?.();
    if (!this.#open) return;
    this.#cancelHeartbeat = this.#clock.schedule(seconds * 1000, () =>
      this.fail(new StateError('States.HeartbeatTimeout')),
    );
  }

  /** Registers what to undo when the attempt has ended. */
  whenOver(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  #end(): void {
    this.#open = false;
    this.#cancelHeartbeat?.();
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }
}
