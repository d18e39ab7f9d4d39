import { randomUUID } from 'node:crypto';
import { Slots } from '../slots.ts';
import { type Clock, systemClock } from './clock.ts';
import { Execution, type ExecutionHost } from './execution.ts';
import type { InvokeLambda } from './lambda.ts';
import { type AwsEnvironment, executionArn } from './names.ts';
import { type StatusChangeEvent, statusChangeEvent } from './status-event.ts';
import { type MachineRecord, Store } from './store.ts';
import { TaskTokens } from './tokens.ts';

/** Options of the registry. */
export interface RegistryOptions {
  /**
   * The folder that persists state machines and executions.
   */
  readonly dataDir: string;
  /** Invokes Lambda functions for Task states; `invokeThrough` creates one from a Lambda client. */
  readonly invokeLambda: InvokeLambda;
  /**
   * The most functions that run at once; further tasks wait before they are scheduled, so not within their timeout.
   * @default - unlimited
   */
  readonly maxConcurrentLambdas?: number;
  /**
   * The clock for waits, timeouts, heartbeats and retry delays.
   * @default - the system's clock
   */
  readonly clock?: Clock;
  /**
   * Called with a line for every execution that starts or ends, and for internal errors.
   * @default - nothing is logged
   */
  readonly log?: (line: string) => void;
  /**
   * Called when an execution has started or ended, to send an event. A failure is logged.
   * @default - no events
   */
  readonly onStatusChange?: (event: StatusChangeEvent) => void | Promise<void>;
  /**
   * Partition, region and account that appear in ARNs.
   * @default - aws, us-east-1, 000000000000
   */
  readonly environment?: Partial<AwsEnvironment>;
  /**
   * Numbers from 0 up to 1 for retry jitter.
   * @default - Math.random
   */
  readonly random?: () => number;
}

/** All state machines and executions, and what they share; the API operations use it. */
export class Registry {
  readonly environment: AwsEnvironment;
  readonly clock: Clock;
  readonly tokens: TaskTokens;
  readonly machines = new Map<string, MachineRecord>();
  readonly executions = new Map<string, Execution>();
  readonly #store: Store;
  readonly #host: ExecutionHost;
  readonly #closing = new AbortController();

  constructor(options: RegistryOptions) {
    this.environment = {
      partition: 'aws',
      region: 'us-east-1',
      account: '000000000000',
      ...options.environment,
    };
    this.clock = options.clock ?? systemClock;
    this.tokens = new TaskTokens((arn) => this.executions.has(arn));
    this.#store = new Store(options.dataDir);
    this.#host = this.#createHost(options);
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

  /** Deletes a machine and its executions; running ones are aborted, as in AWS. */
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

  /** Stops all executions and timers; no events are sent after this. */
  suspend(): void {
    for (const execution of this.executions.values()) execution.suspend();
    this.#closing.abort();
  }

  newRevision(): string {
    return randomUUID();
  }

  #createHost(options: RegistryOptions): ExecutionHost {
    const log = options.log ?? (() => {});
    return {
      clock: this.clock,
      tokens: this.tokens,
      region: this.environment.region,
      invokeLambda: options.invokeLambda,
      lambdaSlots:
        options.maxConcurrentLambdas === undefined ? undefined : new Slots(options.maxConcurrentLambdas),
      random: options.random ?? Math.random,
      closing: this.#closing.signal,
      save: (record) => this.#store.saveExecution(record),
      publishStatus: (record) => {
        log(
          `execution ${record.name} of ${record.machine.name} is ${record.status}${record.error ? ` (${record.error})` : ''}`,
        );
        // A promise first, so that a callback that throws synchronously is logged like one that rejects.
        Promise.resolve(statusChangeEvent(this.environment, record))
          .then((event) => options.onStatusChange?.(event))
          .catch((error) => log(`the status change of ${record.name} could not be published: ${error}`));
      },
    };
  }
}
