/** The service's source of time, for waits, timeouts, heartbeats, retry delays and timestamps. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `action` once, `milliseconds` from now.
   * @returns a function that cancels the call, without effect if it has already happened
   */
  schedule(milliseconds: number, action: () => void): () => void;
}

/** setTimeout is limited to 32 bits and fires immediately beyond; TimeoutSeconds may be 99,999,999. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule(milliseconds, action) {
    const due = Date.now() + milliseconds;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const left = due - Date.now();
      timer =
        left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(action, Math.max(0, left));
    };
    arm();
    return () => clearTimeout(timer);
  },
};

interface ScheduledCall {
  readonly due: number;
  readonly order: number;
  readonly action: () => void;
}

/** A clock that only a test advances. */
export class ManualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #scheduled = new Set<ScheduledCall>();

  /** @param start the initial time, in milliseconds since the epoch */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  schedule(milliseconds: number, action: () => void): () => void {
    const call = { due: this.#now + Math.max(0, milliseconds), order: this.#order++, action };
    this.#scheduled.add(call);
    return () => this.#scheduled.delete(call);
  }

  /** The time until the next scheduled call, in milliseconds; undefined if nothing is scheduled. */
  get nextIn(): number | undefined {
    const next = this.#next();
    return next && next.due - this.#now;
  }

  /**
   * Advances the clock and runs every call that becomes due at its own time, together with its consequences,
   * which may schedule more calls.
   */
  async advance(seconds: number): Promise<void> {
    const end = this.#now + seconds * 1000;
    await settle();
    for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
      this.#now = next.due;
      this.#scheduled.delete(next);
      next.action();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #next(): ScheduledCall | undefined {
    return [...this.#scheduled].sort((a, b) => a.due - b.due || a.order - b.order)[0];
  }
}

/** Waits until pending promises and immediates have run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
