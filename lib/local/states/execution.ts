import type { Clock } from './clock.ts';
import { parseDefinition } from './definition/validate.ts';
import { Interruption, type StateError } from './errors.ts';
import { History, type HistoryEvent, Trail } from './history.ts';
import { type Run, Variables } from './interpreter/scope.ts';
import { asStateError } from './interpreter/retry-catch.ts';
import { runBlock } from './interpreter/run-block.ts';
import type { Json } from './json.ts';
import type { ExecutionRecord, ExecutionStatus, MachineRecord } from './store.ts';

/** What an execution needs from the service around it. */
export interface ExecutionHost
  extends Pick<Run, 'clock' | 'tokens' | 'invokeLambda' | 'random' | 'closing' | 'region'> {
  /** Called with every change worth keeping. */
  save(record: ExecutionRecord): void;
  /** Called when the status has become RUNNING or one of the final ones. */
  announce(record: ExecutionRecord): void;
}

/** Between these, steps are kept in memory only: writing every one would make a long history quadratic. */
const SAVE_EVERY_MS = 500;

/** How an execution ended; `output` goes with SUCCEEDED, the others with the rest. */
interface End {
  readonly output?: string;
  readonly error?: string;
  readonly cause?: string;
}

/** The last event of each way to end. */
const LAST_EVENTS: Readonly<Record<Exclude<ExecutionStatus, 'RUNNING'>, { type: string; details: string }>> =
  {
    SUCCEEDED: { type: 'ExecutionSucceeded', details: 'executionSucceededEventDetails' },
    FAILED: { type: 'ExecutionFailed', details: 'executionFailedEventDetails' },
    TIMED_OUT: { type: 'ExecutionTimedOut', details: 'executionTimedOutEventDetails' },
    ABORTED: { type: 'ExecutionAborted', details: 'executionAbortedEventDetails' },
  };

/** One execution: its record, its history and, while it runs, the flow that moves it. */
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

  /** Starts a new execution. It is on its way, and kept, when this returns. */
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
    const first = execution.#history.add('ExecutionStarted', 0, { executionStartedEventDetails: details });
    execution.#save();
    host.announce(execution.record);
    void execution.#run(first);
    return execution;
  }

  /**
   * Takes up an execution from an earlier life of the service. One that was running then is aborted: its
   * Lambda calls, variables and half-run states died with the process, so going on would repeat or skip
   * work, and leaving it RUNNING would make whoever watches it wait forever.
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

  /** Ends the execution from outside; nothing when it has ended. */
  end(status: 'ABORTED' | 'TIMED_OUT', end: End): void {
    this.#finish(status, end);
    this.#stop.abort(new Interruption(`the execution is ${status}`));
  }

  /** Stops without an end, because the service closes: the record stays RUNNING for the next life to see. */
  suspend(): void {
    if (this.#record.status !== 'RUNNING') return;
    this.#stop.abort(new Interruption('the service is closing'));
    this.#save();
  }

  async #run(firstEvent: number): Promise<void> {
    const { signal } = this.#stop;
    let cancelTimeout = (): void => {};
    try {
      // Parsed here again: the record keeps the text, which is what the machine was when this started.
      const machine = parseDefinition(this.#record.machine.definition);
      cancelTimeout = this.#startTimeout(machine.TimeoutSeconds);
      const trail = new Trail(this.#history, firstEvent, signal);
      const flow = { run: this.#context(), variables: new Variables(), trail, signal };
      const output = await runBlock(machine, JSON.parse(this.#record.input) as Json, flow);
      this.#finish('SUCCEEDED', { output: JSON.stringify(output) });
    } catch (error) {
      if (error instanceof Interruption) return;
      this.#finish('FAILED', endOf(asStateError(error)));
    } finally {
      cancelTimeout();
    }
  }

  #startTimeout(seconds: number | undefined): () => void {
    if (seconds === undefined) return () => {};
    return this.#clock.schedule(seconds * 1000, () => this.end('TIMED_OUT', { error: 'States.Timeout' }));
  }

  #context(): Run {
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
    this.#history.end(type, {
      [details]:
        status === 'SUCCEEDED'
          ? { output: end.output ?? 'null', outputDetails: { truncated: false } }
          : { ...end },
    });
    this.#record = { ...this.#record, ...end, status, stopDate: this.#clock.now() };
    this.#save();
    this.#host.announce(this.record);
  }

  /** The machine's own time, not the service's clock: this is about the disk. */
  #checkpoint(): void {
    if (performance.now() - this.#lastSave > SAVE_EVERY_MS) this.#save();
  }

  #save(): void {
    this.#lastSave = performance.now();
    this.#record = { ...this.#record, events: this.#history.events };
    this.#host.save(this.#record);
  }
}

function endOf({ error, reason }: StateError): End {
  return { ...(error !== '' && { error }), ...(reason !== undefined && { cause: reason }) };
}
