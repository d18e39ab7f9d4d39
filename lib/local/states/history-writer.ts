import type { History } from './history.ts';
import type { JsonObject } from './json.ts';

/** The types of states with an event for being cut off. */
const ABORTABLE = ['Task', 'Wait', 'Parallel', 'Map'];

/** Writes the events of one scope, each of which refers to the scope's previous event. */
export class HistoryWriter {
  readonly #history: History;
  readonly #signal: AbortSignal;
  /** The details of a Map's iteration, if the scope is one. */
  readonly #iteration: JsonObject | undefined;
  #last: number;
  /** The type of the state that has been entered and not left. */
  #open: string | undefined;
  #finished = false;
  /** The scopes inside the state that is open. */
  #branches: HistoryWriter[] = [];

  constructor(history: History, last: number, signal: AbortSignal, iteration?: JsonObject) {
    this.#history = history;
    this.#last = last;
    this.#signal = signal;
    this.#iteration = iteration;
  }

  /** The id of the scope's last event; 0 at the beginning of an execution. */
  get last(): number {
    return this.#last;
  }

  /**
   * Adds an event.
   * @param after the previous event in the chain
   * @returns its id
   * @throws Interruption if the scope must stop
   */
  record(type: string, details?: JsonObject, after: number = this.#last): number {
    this.#last = this.recordAside(type, details, after);
    this.#follow(type);
    return this.#last;
  }

  /** Adds an event that later ones do not refer to, as AWS does for successes of branches and iterations. */
  recordAside(type: string, details?: JsonObject, after: number = this.#last): number {
    this.#signal.throwIfAborted();
    return this.#history.add(type, after, details);
  }

  /** Continues in a state that was entered before the execution was redriven. */
  resume(stateType: string): void {
    this.#open = stateType;
  }

  /** Creates the writer of a branch or iteration that starts here, or after another event. */
  fork(signal: AbortSignal, iteration?: JsonObject, after: number = this.#last): HistoryWriter {
    const branch = new HistoryWriter(this.#history, after, signal, iteration);
    this.#branches.push(branch);
    return branch;
  }

  /** Completes the scope, so that the failure of another one no longer affects it. */
  finish(): void {
    this.#finished = true;
  }

  /** Makes the next event follow the last one of all branches. */
  join(): void {
    this.#branches = [];
    this.#last = this.#history.events.length;
  }

  /**
   * Records that the unfinished branches end because one of them failed, and continues after the event of that failure.
   * The failed branch is included: its state has not been left either.
   */
  abortBranches(failed: HistoryWriter): void {
    const after = failed.last;
    for (const branch of this.#branches) branch.#abort(after, branch === failed);
    this.#branches = [];
    this.#last = after;
  }

  #abort(after: number, failed: boolean): void {
    if (this.#finished) return;
    // Without regard to the signal, which the failure has aborted.
    if (this.#iteration) {
      const [type, details] = failed
        ? ['MapIterationFailed', 'mapIterationFailedEventDetails']
        : ['MapIterationAborted', 'mapIterationAbortedEventDetails'];
      this.#history.add(type, after, { [details]: this.#iteration });
    }
    for (const branch of this.#branches) branch.#abort(after, false);
    if (this.#open !== undefined && ABORTABLE.includes(this.#open))
      this.#history.add(`${this.#open}StateAborted`, after);
  }

  #follow(type: string): void {
    const entered = /^(\w+)StateEntered$/.exec(type)?.[1];
    if (entered !== undefined) this.#open = entered;
    else if (/State(Exited|Failed)$/.test(type)) this.#open = undefined;
  }
}
