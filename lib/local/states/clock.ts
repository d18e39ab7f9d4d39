/** The time the service lives by. Waits, timeouts, heartbeats, retry delays and timestamps all ask it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `action` once, `milliseconds` from now.
   * @returns a function that cancels the call; harmless when it has already happened
   */
  schedule(milliseconds: number, action: () => void): () => void;
}

/** setTimeout counts in 32 bits and fires at once beyond; TimeoutSeconds may be 99,999,999. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
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

interface Appointment {
  readonly due: number;
  readonly order: number;
  readonly action: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #appointments = new Set<Appointment>();

  /** @param start where the clock stands at first, milliseconds since the epoch */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  schedule(milliseconds: number, action: () => void): () => void {
    const appointment = { due: this.#now + Math.max(0, milliseconds), order: this.#order++, action };
    this.#appointments.add(appointment);
    return () => this.#appointments.delete(appointment);
  }

  /** How long until the next scheduled call, in milliseconds; undefined when nothing is scheduled. */
  get nextIn(): number | undefined {
    const next = this.#next();
    return next && next.due - this.#now;
  }

  /**
   * Moves the clock, keeping every appointment on the way at its own time and letting its consequences
   * (which may make new appointments) unfold before moving on.
   */
  async advance(seconds: number): Promise<void> {
    const end = this.#now + seconds * 1000;
    await settle();
    for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
      this.#now = next.due;
      this.#appointments.delete(next);
      next.action();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #next(): Appointment | undefined {
    return [...this.#appointments].sort((a, b) => a.due - b.due || a.order - b.order)[0];
  }
}

/** Lets promises and immediates that are already on their way run to their end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
