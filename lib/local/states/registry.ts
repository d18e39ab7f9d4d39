import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from './clock.ts';
import { Execution, type ExecutionHost } from './execution.ts';
import type { InvokeLambda } from './lambda.ts';
import { executionArn, type Place } from './names.ts';
import { type StatusChangeEvent, statusChangeEvent } from './status-event.ts';
import { type MachineRecord, Store } from './store.ts';
import { TaskTokens } from './tokens.ts';

/** What the registry needs from whoever starts it. */
export interface RegistryOptions {
  /**
   * Where state machines and executions are kept between lives of the service.
   */
  readonly dataDir: string;
  /** How Task states invoke Lambda functions; `invokeThrough` makes one from a Lambda client. */
  readonly invokeLambda: InvokeLambda;
  /**
   * What waits, timeouts, heartbeats and retry delays go by.
   * @default - the machine's clock
   */
  readonly clock?: Clock;
  /**
   * Called with a line for every execution that starts or ends, and for what went wrong inside.
   * @default - nothing is logged
   */
  readonly log?: (line: string) => void;
  /**
   * Called when an execution has started or ended, to be put on an event bus. A failure is logged.
   * @default - status changes go nowhere
   */
  readonly onStatusChange?: (event: StatusChangeEvent) => void | Promise<void>;
  /**
   * Partition, region and account that appear in ARNs.
   * @default - aws, us-east-1, 000000000000
   */
  readonly place?: Partial<Place>;
  /**
   * Numbers from 0 up to 1 for retry jitter.
   * @default - Math.random
   */
  readonly random?: () => number;
}

/** All state machines and executions, and what they share. The API operations are written against this. */
export class Registry {
  readonly place: Place;
  readonly clock: Clock;
  readonly tokens: TaskTokens;
  readonly machines = new Map<string, MachineRecord>();
  readonly executions = new Map<string, Execution>();
  readonly #store: Store;
  readonly #host: ExecutionHost;
  readonly #closing = new AbortController();

  constructor(options: RegistryOptions) {
    this.place = { partition: 'aws', region: 'us-east-1', account: '000000000000', ...options.place };
    this.clock = options.clock ?? systemClock;
    this.tokens = new TaskTokens((arn) => this.executions.has(arn));
    this.#store = new Store(options.dataDir);
    this.#host = this.#makeHost(options);
    for (const machine of this.#store.machines()) this.machines.set(machine.stateMachineArn, machine);
    for (const record of this.#store.executions()) {
      this.executions.set(record.executionArn, Execution.restore(record, this.#host));
    }
  }

  /** Creates a machine or replaces its settings. */
  putMachine(machine: MachineRecord): void {
    this.#store.saveMachine(machine);
    this.machines.set(machine.stateMachineArn, machine);
  }

  /** Forgets a machine; its executions go with it, running ones aborted, as in AWS. */
  deleteMachine(machine: MachineRecord): void {
    for (const execution of this.executionsOf(machine.stateMachineArn)) {
      execution.end('ABORTED', { cause: 'The state machine was deleted.' });
      this.executions.delete(execution.record.executionArn);
    }
    this.machines.delete(machine.stateMachineArn);
    this.#store.deleteMachine(machine);
  }

  executionsOf(machineArn: string): Execution[] {
    return [...this.executions.values()].filter(
      ({ record }) => record.machine.stateMachineArn === machineArn,
    );
  }

  startExecution(machine: MachineRecord, name: string, input: string): Execution {
    const arn = executionArn(machine.stateMachineArn, name);
    const execution = Execution.start(arn, name, machine, input, this.#host);
    this.executions.set(arn, execution);
    return execution;
  }

  /** Stops all flows and timers; nothing is answered or announced after this. */
  suspend(): void {
    for (const execution of this.executions.values()) execution.suspend();
    this.#closing.abort();
  }

  newRevision(): string {
    return randomUUID();
  }

  #makeHost(options: RegistryOptions): ExecutionHost {
    const log = options.log ?? (() => {});
    return {
      clock: this.clock,
      tokens: this.tokens,
      region: this.place.region,
      invokeLambda: options.invokeLambda,
      random: options.random ?? Math.random,
      closing: this.#closing.signal,
      save: (record) => this.#store.saveExecution(record),
      announce: (record) => {
        log(
          `execution ${record.name} of ${record.machine.name} is ${record.status}${record.error ? ` (${record.error})` : ''}`,
        );
        // A promise first, so that a callback which throws at once is logged like one which rejects.
        Promise.resolve(statusChangeEvent(this.place, record))
          .then((event) => options.onStatusChange?.(event))
          .catch((error) => log(`the status change of ${record.name} could not be passed on: ${error}`));
      },
    };
  }
}
