import type { Clock } from './clock.ts';
import { parseDefinition } from './definition/validate.ts';
import { Interruption } from './errors.ts';
import { History, type HistoryEvent, HistoryWriter } from './history.ts';
import { asStateError } from './interpreter/retry-catch.ts';
import { runBlock } from './interpreter/run-block.ts';
import { type ExecutionContext, Variables } from './interpreter/scope.ts';
import type { Json } from './json.ts';
import type { ExecutionRecord, ExecutionStatus, MachineRecord } from './store.ts';

/** The parts of the service that an execution needs. */
export interface ExecutionHost
  extends Pick<
    ExecutionContext,
    'clock' | 'tokens' | 'invokeLambda' | 'lambdaSlots' | 'random' | 'closing' | 'region'
  > {
  /** Called with every change that must be stored. */
  save(record: ExecutionRecord): void;
  /** Called when the status has changed to RUNNING or a final one. */
  publishStatus(record: ExecutionRecord): void;
}

/** Minimum time between saves: saving after every event would make a long history quadratic. */
const SAVE_EVERY_MS = 500;

/** The result of an execution: `output` with SUCCEEDED, `error` and `cause` with the other statuses. */
interface End {
  readonly output?: string;
  readonly error?: string;
  readonly cause?: string;
}

/** The last event for each final status. */
const LAST_EVENTS: Readonly<Record<Exclude<ExecutionStatus, 'RUNNING'>, { type: string; details: string }>> =
  {
    SUCCEEDED: { type: 'ExecutionSucceeded', details: 'executionSucceededEventDetails' },
    FAILED: { type: 'ExecutionFailed', details: 'executionFailedEventDetails' },
    TIMED_OUT: { type: 'ExecutionTimedOut', details: 'executionTimedOutEventDetails' },
    ABORTED: { type: 'ExecutionAborted', details: 'executionAbortedEventDetails' },
  };

/** One execution: its record, its history and, while it runs, its top-level scope. */
export class Execution {
  #record: ExecutionRecord;
  readonly #history: History;
  readonly #clock: Clock;
  readonly #host: ExecutionHost;
  readonly #stop = new AbortController();
  #lastSave = 0;

  private constructor(record: ExecutionRecord, host: ExecutionHost) {
    this.#record = record;
    this.#host = host;
    this.#clock = host.clock;
    this.#history = new History(host.clock, [...record.events]);
  }

  /** Starts a new execution, which is running and stored when this returns. */
  static start(
    arn: string,
    name: string,
    machine: MachineRecord,
    input: string,
    host: ExecutionHost,
  ): Execution {
    const startDate = host.clock.now();
    const execution = new Execution(
      { executionArn: arn, name, machine, status: 'RUNNING', startDate, input, events: [] },
      host,
    );
    const details = { input, inputDetails: { truncated: false }, roleArn: machine.roleArn };
    execution.#history.add('ExecutionStarted', 0, { executionStartedEventDetails: details });
    execution.#save();
    host.publishStatus(execution.record);
    void execution.#run();
    return execution;
  }

  /**
   * Restores an execution of an earlier service process. One that was running is aborted: its Lambda calls, variables
   * and active states ended with the process, so continuing would repeat or skip work, and leaving it RUNNING would
   * make callers wait forever.
   */
  static restore(record: ExecutionRecord, host: ExecutionHost): Execution {
    const execution = new Execution(record, host);
    if (record.status === 'RUNNING') {
      execution.end('ABORTED', {
        error: 'Local.ServiceStopped',
        cause:
          'The local Step Functions service was stopped while this execution was running. Start it again under a new name.',
      });
    }
    return execution;
  }

  get record(): ExecutionRecord {
    return this.#record;
  }

  get events(): readonly HistoryEvent[] {
    return this.#history.events;
  }

  /** Ends the execution from outside; no effect if it has already ended. */
  end(status: 'ABORTED' | 'TIMED_OUT', end: End): void {
    this.#finish(status, end);
    this.#stop.abort(new Interruption(`the execution is ${status}`));
  }

  /** Stops because the service closes: the record stays RUNNING for the next service process. */
  suspend(): void {
    if (this.#record.status !== 'RUNNING') return;
    this.#stop.abort(new Interruption('the service is closing'));
    this.#save();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let cancelTimeout = (): void => {};
    try {
      // Parsed again from the record, which has the definition as it was at the start.
      const machine = parseDefinition(this.#record.machine.definition);
      cancelTimeout = this.#startTimeout(machine.TimeoutSeconds);
      const history = new HistoryWriter(this.#history, 0, signal);
      const scope = { execution: this.#createContext(), variables: new Variables(), history, signal };
      const output = await runBlock(machine, JSON.parse(this.#record.input) as Json, scope);
      this.#finish('SUCCEEDED', { output: JSON.stringify(output) });
    } catch (error) {
      if (error instanceof Interruption) return;
      this.#finish('FAILED', asStateError(error).details);
    } finally {
      cancelTimeout();
    }
  }

  #startTimeout(seconds: number | undefined): () => void {
    if (seconds === undefined) return () => {};
    return this.#clock.schedule(seconds * 1000, () => this.end('TIMED_OUT', {}));
  }

  #createContext(): ExecutionContext {
    const { executionArn, name, machine, startDate, input } = this.#record;
    return {
      ...this.#host,
      executionArn,
      checkpoint: () => this.#checkpoint(),
      context: {
        Execution: {
          Id: executionArn,
          Input: JSON.parse(input) as Json,
          Name: name,
          RoleArn: machine.roleArn,
          StartTime: new Date(startDate).toISOString(),
          RedriveCount: 0,
        },
        StateMachine: { Id: machine.stateMachineArn, Name: machine.name },
      },
    };
  }

  #finish(status: Exclude<ExecutionStatus, 'RUNNING'>, end: End): void {
    if (this.#record.status !== 'RUNNING' || this.#stop.signal.aborted) return;
    const { type, details } = LAST_EVENTS[status];
    this.#history.end(type, status !== 'ABORTED', {
      [details]:
        status === 'SUCCEEDED'
          ? { output: end.output ?? 'null', outputDetails: { truncated: false } }
          : { ...end },
    });
    this.#record = { ...this.#record, ...end, status, stopDate: this.#clock.now() };
    this.#save();
    this.#host.publishStatus(this.record);
  }

  /** Uses the system's time instead of the service's clock, because it limits disk writes. */
  #checkpoint(): void {
    if (performance.now() - this.#lastSave > SAVE_EVERY_MS) this.#save();
  }

  #save(): void {
    this.#lastSave = performance.now();
    this.#record = { ...this.#record, events: this.#history.events };
    this.#host.save(this.#record);
  }
}
