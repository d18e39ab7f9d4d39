import type { Clock } from './clock.ts';
import { StateError } from './errors.ts';
import type { JsonObject } from './json.ts';

/** One event of an execution, in the format of GetExecutionHistory. */
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
export const MAX_EVENTS = 25_000;

/** The events of an execution so far. */
export class History {
  readonly events: HistoryEvent[];
  readonly #clock: Clock;
  #closed = false;

  constructor(clock: Clock, events: HistoryEvent[] = []) {
    this.#clock = clock;
    this.events = events;
  }

  /**
   * Adds an event, unless the history is closed.
   * @returns its id
   * @throws StateError States.Runtime when the history is full
   */
  add(type: string, previousEventId: number, details: JsonObject = {}): number {
    if (this.#closed) return previousEventId;
    // One event is reserved for the end of the execution.
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

  /**
   * Adds the last event and closes the history to scopes that are still unwinding.
   * @param chained whether the event refers to the one before; that of a stopped execution does not, as recorded
   */
  end(type: string, chained: boolean, details: JsonObject): void {
    this.add(type, chained ? this.events.length : 0, details);
    this.#closed = true;
  }

  /** Continues a history that has ended. @returns the id of the new event */
  reopen(type: string, details: JsonObject): number {
    this.#closed = false;
    return this.add(type, this.events.length, details);
  }
}
