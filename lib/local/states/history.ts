import type { Clock } from './clock.ts';
import { StateError } from './errors.ts';
import type { JsonObject } from './json.ts';

/** One event of an execution, in the shape GetExecutionHistory answers. */
export interface HistoryEvent {
  /** Seconds since the epoch. */
  readonly timestamp: number;
  readonly type: string;
  readonly id: number;
  readonly previousEventId: number;
  /** The details member of the event's type, such as `stateEnteredEventDetails`. */
  readonly [details: string]: unknown;
}

/** Step Functions fails an execution whose history grows beyond this. */
const MAX_EVENTS = 25_000;

/** What an execution has done so far. */
export class History {
  readonly events: HistoryEvent[];
  readonly #clock: Clock;
  #closed = false;

  constructor(clock: Clock, events: HistoryEvent[] = []) {
    this.#clock = clock;
    this.events = events;
  }

  /**
   * Adds an event; nothing once the history is closed.
   * @returns its id
   * @throws StateError States.Runtime when the history is full
   */
  add(type: string, previousEventId: number, details: JsonObject = {}): number {
    if (this.#closed) return previousEventId;
    // One place is kept for the event that says how the execution ended.
    if (this.events.length >= MAX_EVENTS - 1 && !type.startsWith('Execution')) {
      throw new StateError(
        'States.Runtime',
        `The execution reached the maximum number of history events (${MAX_EVENTS}).`,
      );
    }
    const id = this.events.length + 1;
    this.events.push({ timestamp: this.#clock.now() / 1000, type, id, previousEventId, ...details });
    return id;
  }

  /** Adds the last event. Flows that are still unwinding find the history closed. */
  end(type: string, details: JsonObject): void {
    this.add(type, this.events.length, details);
    this.#closed = true;
  }
}

/** One flow's way through the history: each event names the one before it on the same way. */
export class Trail {
  readonly #history: History;
  readonly #signal: AbortSignal;
  #last: number;

  constructor(history: History, last: number, signal: AbortSignal) {
    this.#history = history;
    this.#last = last;
    this.#signal = signal;
  }

  /** Adds an event, unless the flow has been interrupted: then the interruption is thrown. */
  record(type: string, details?: JsonObject): void {
    this.#signal.throwIfAborted();
    this.#last = this.#history.add(type, this.#last, details);
  }

  /** A trail for a branch that leaves from here. */
  fork(signal: AbortSignal): Trail {
    return new Trail(this.#history, this.#last, signal);
  }

  /** After branches came together, the next event follows the last of all. */
  join(): void {
    this.#last = this.#history.events.length;
  }
}
