import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  GetExecutionHistoryCommand,
  type HistoryEvent,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { ManualClock } from '../../../lib/local/states/clock.ts';
import type { InvokeLambda } from '../../../lib/local/states/lambda.ts';
import { type StatesServiceOptions, startStatesService } from '../../../lib/local/states/service.ts';
import type { StatusChangeEvent } from '../../../lib/local/states/status-event.ts';

export const ROLE = 'arn:aws:iam::000000000000:role/machine';
export const INVOKE = 'arn:aws:states:::lambda:invoke';
export const WAIT_FOR_TOKEN = 'arn:aws:states:::lambda:invoke.waitForTaskToken';

/** Lambda functions by name; an exception becomes a function error. */
// biome-ignore lint/suspicious/noExplicitAny: events are whatever the machine under test sends
export type Functions = Record<string, (event: any) => unknown>;

/** A fake of the Lambda API, with its responses and errors. */
export function lambdaOf(functions: Functions): InvokeLambda {
  return async ({ functionName, payload }) => {
    const run = functions[functionName];
    if (!run)
      throw Object.assign(new Error(`Function not found: ${functionName}`), {
        name: 'ResourceNotFoundException',
        $fault: 'client',
      });
    try {
      const value = await run(JSON.parse(payload));
      return { statusCode: 200, executedVersion: '$LATEST', payload: JSON.stringify(value ?? null) };
    } catch (error) {
      const { name, message } = error as Error;
      const description = JSON.stringify({ errorType: name, errorMessage: message, trace: [] });
      return {
        statusCode: 200,
        executedVersion: '$LATEST',
        functionError: 'Unhandled',
        payload: description,
      };
    }
  };
}

/** An error as thrown by a handler: its name is the error type. */
export function named(name: string, message = 'it broke'): Error {
  return Object.assign(new Error(message), { name });
}

/** A definition in JSONata, as text. */
export function machine(states: Record<string, unknown>, more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    QueryLanguage: 'JSONata',
    StartAt: Object.keys(states)[0],
    States: states,
    ...more,
  });
}

/** A service with a manual clock, and an SDK client for it. */
export class Harness {
  readonly clock = new ManualClock();
  readonly functions: Functions;
  readonly events: StatusChangeEvent[] = [];
  readonly log: string[] = [];
  readonly dataDir = mkdtempSync(join(tmpdir(), 'states-test-'));
  readonly #options: Partial<StatesServiceOptions>;
  #close: () => Promise<void> = async () => {};
  #count = 0;
  sfn = new SFNClient({});
  endpoint = '';

  constructor(functions: Functions = {}, options: Partial<StatesServiceOptions> = {}) {
    this.functions = functions;
    this.#options = options;
  }

  async open(): Promise<this> {
    const service = await startStatesService({
      dataDir: this.dataDir,
      clock: this.clock,
      invokeLambda: lambdaOf(this.functions),
      onStatusChange: (event) => {
        this.events.push(event);
      },
      log: (line) => this.log.push(line),
      ...this.#options,
    });
    this.endpoint = service.endpoint;
    this.sfn = new SFNClient({
      endpoint: service.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
    });
    this.#close = service.close;
    return this;
  }

  /** Stops the service; open() starts another one on the same data. */
  async suspend(): Promise<void> {
    this.sfn.destroy();
    await this.#close();
  }

  async close(): Promise<void> {
    await this.suspend();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async create(definition: string, name = `machine-${this.#count++}`): Promise<string> {
    const created = await this.sfn.send(new CreateStateMachineCommand({ name, definition, roleArn: ROLE }));
    return created.stateMachineArn ?? '';
  }

  /** Creates the machine and starts it. Returns the execution's ARN. */
  async start(
    states: Record<string, unknown>,
    input: unknown = {},
    more: Record<string, unknown> = {},
  ): Promise<string> {
    const stateMachineArn = await this.create(machine(states, more));
    const started = await this.sfn.send(
      new StartExecutionCommand({ stateMachineArn, name: 'one', input: JSON.stringify(input) }),
    );
    return started.executionArn ?? '';
  }

  describe(executionArn: string): Promise<DescribeExecutionCommandOutput> {
    return this.sfn.send(new DescribeExecutionCommand({ executionArn }));
  }

  /** Waits, in real time, for the end of an execution that needs no further clock time. */
  async ended(executionArn: string): Promise<DescribeExecutionCommandOutput> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      const execution = await this.describe(executionArn);
      if (execution.status !== 'RUNNING') return execution;
      if (Date.now() > deadline)
        throw new Error(`still running: ${(await this.types(executionArn)).join(' ')}`);
    }
  }

  /** Runs a machine to its end. */
  async run(
    states: Record<string, unknown>,
    input: unknown = {},
    more: Record<string, unknown> = {},
  ): Promise<DescribeExecutionCommandOutput> {
    return this.ended(await this.start(states, input, more));
  }

  /** Runs a machine that must succeed and returns its output. */
  async output(states: Record<string, unknown>, input: unknown = {}): Promise<unknown> {
    return this.outputOf(await this.start(states, input));
  }

  /** Waits for an execution that must succeed and returns its output. */
  async outputOf(executionArn: string): Promise<unknown> {
    const { status, output, error, cause } = await this.ended(executionArn);
    if (status !== 'SUCCEEDED') throw new Error(`${status}: ${error}: ${cause}`);
    return JSON.parse(output ?? '');
  }

  async history(executionArn: string): Promise<HistoryEvent[]> {
    return (
      (await this.sfn.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }))).events ?? []
    );
  }

  /** The history as lines of id, previous id, type and, if present, error and cause. */
  async lines(executionArn: string): Promise<string[]> {
    return (await this.history(executionArn)).map((event) => {
      const key = Object.keys(event).find((name) => name.endsWith('EventDetails'));
      const { error, cause } = Object(event[key as keyof HistoryEvent]) as { error?: string; cause?: string };
      const parts = [event.id, event.previousEventId, event.type, error, cause && 'with a cause'];
      return parts.filter((part) => part !== undefined).join(' ');
    });
  }

  /** Runs a machine to its end and returns its history as lines. */
  async linesOf(states: Record<string, unknown>, input: unknown = {}): Promise<string[]> {
    const executionArn = await this.start(states, input);
    await this.ended(executionArn);
    return this.lines(executionArn);
  }

  /** Waits for a retry that is due in a second, and lets it happen. */
  async retry(): Promise<void> {
    await until(() => this.clock.nextIn !== undefined);
    await this.clock.advance(1);
  }

  async types(executionArn: string): Promise<string[]> {
    return (await this.history(executionArn)).map(({ type }) => String(type));
  }
}

/** Waits, in real time, for a condition. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition was not met within half a minute');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
