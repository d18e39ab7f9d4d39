import type { Clock } from './clock.ts';
import { parseDefinition } from './definition/validate.ts';
import { Interruption } from './errors.ts';
import { History, type HistoryEvent } from './history.ts';
import { HistoryWriter } from './history-writer.ts';
import { asStateError } from './interpreter/retry-catch.ts';
import { runBlock } from './interpreter/run-block.ts';
import { type ExecutionContext, Variables } from './interpreter/scope.ts';
import type { Json } from './json.ts';
import type { Progress } from './progress.ts';
import type { ExecutionRecord, ExecutionStatus, MachineRecord, Redrive } from './store.ts';

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
  /** Replaced by a redrive: each attempt to run the machine has its own. */
  #stop = new AbortController();
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
      { executionArn: arn, name, machine, status: 'RUNNING', startDate, input, events: [], progress: {} },
      host,
    );
    const details = { input, inputDetails: { truncated: false }, roleArn: machine.roleArn };
    execution.#history.add('ExecutionStarted', 0, { executionStartedEventDetails: details });
    execution.#save();
    host.publishStatus(execution.record);
    void execution.#run({}, 0);
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
          'The local Step Functions service was stopped while this execution was running. Redrive it, or start it again under a new name.',
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

  /**
   * Runs the execution again from the state that did not succeed, with its input and with all retries.
   * @param clientToken the caller's name for the request
   */
  redrive(clientToken: string | undefined): void {
    const { stopDate: _stopDate, output: _output, error: _error, cause: _cause, ...rest } = this.#record;
    const progress = structuredClone(rest.progress ?? {});
    const redrive: Redrive = {
      count: (rest.redrive?.count ?? 0) + 1,
      date: this.#clock.now(),
      ...(clientToken !== undefined && { clientToken }),
    };
    this.#record = { ...rest, status: 'RUNNING', progress, redrive };
    this.#stop = new AbortController();
    const details = { executionRedrivenEventDetails: { redriveCount: redrive.count } };
    const event = this.#history.reopen('ExecutionRedriven', details);
    this.#save();
    this.#host.publishStatus(this.record);
    void this.#run(progress, event);
  }

  /** Stops because the service closes: the record stays RUNNING for the next service process. */
  suspend(): void {
    if (this.#record.status !== 'RUNNING') return;
    this.#stop.abort(new Interruption('the service is closing'));
    this.#save();
  }

  /** @param lastEvent the event that the first one of this attempt follows */
  async #run(progress: Progress, lastEvent: number): Promise<void> {
    const stop = this.#stop;
    const { signal } = stop;
    this.#record = { ...this.#record, progress };
    let cancelTimeout = (): void => {};
    try {
      // Parsed again from the record, which has the definition as it was at the start.
      const machine = parseDefinition(this.#record.machine.definition);
      cancelTimeout = this.#startTimeout(machine.TimeoutSeconds);
      const output = await runBlock(machine, JSON.parse(this.#record.input) as Json, {
        execution: this.#createContext(),
        variables: new Variables(),
        history: new HistoryWriter(this.#history, lastEvent, signal),
        progress,
        signal,
      });
      if (this.#stop === stop) this.#finish('SUCCEEDED', { output: JSON.stringify(output) });
    } catch (error) {
      if (error instanceof Interruption || this.#stop !== stop) return;
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
    const { executionArn, name, machine, startDate, input, redrive } = this.#record;
    return {
      ...this.#host,
      executionArn,
      roleArn: machine.roleArn,
      stateMachineArn: machine.stateMachineArn,
      checkpoint: () => this.#checkpoint(),
      context: {
        Execution: {
          Id: executionArn,
          Input: JSON.parse(input) as Json,
          Name: name,
          RoleArn: machine.roleArn,
          StartTime: new Date(startDate).toISOString(),
          RedriveCount: redrive?.count ?? 0,
          ...(redrive && { RedriveTime: new Date(redrive.date).toISOString() }),
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
