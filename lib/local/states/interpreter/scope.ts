import type { Slots } from '../../slots.ts';
import type { Clock } from '../clock.ts';
import type { HistoryWriter } from '../history-writer.ts';
import type { Json, JsonObject } from '../json.ts';
import type { InvokeLambda } from '../lambda.ts';
import type { Progress } from '../progress.ts';
import type { TaskTokens } from '../tokens.ts';

/** The values that all scopes of an execution share. */
export interface ExecutionContext {
  /** The members `Execution` and `StateMachine` of the context object. */
  readonly context: JsonObject;
  readonly executionArn: string;
  /** The role with which tasks are invoked, and the machine that has it. */
  readonly roleArn: string;
  readonly stateMachineArn: string;
  readonly region: string;
  readonly clock: Clock;
  readonly tokens: TaskTokens;
  readonly invokeLambda: InvokeLambda;
  /** Limits the functions that run at once. */
  readonly lambdaSlots: Slots | undefined;
  /** A number from 0 up to 1, for retry jitter. */
  readonly random: () => number;
  /** Aborted when the service closes. */
  readonly closing: AbortSignal;
  /** Called at every state, to store the events so far. */
  readonly checkpoint: () => void;
}

/** One thread of an execution: its top level, a Parallel branch or a Map iteration. */
export interface Scope {
  readonly execution: ExecutionContext;
  readonly variables: Variables;
  readonly history: HistoryWriter;
  /** Updated by the scope. It has a position at the start if the scope continues after a redrive. */
  readonly progress: Progress;
  /** Aborted with an Interruption when this scope must stop. */
  readonly signal: AbortSignal;
  /** The member `Map` of the context object, inside a Map iteration. */
  readonly map?: JsonObject;
}

/** Variables of one scope. A branch can read the outer ones; its own end with it. */
export class Variables {
  readonly #outer: Variables | undefined;
  #own: JsonObject = {};

  constructor(outer?: Variables) {
    this.#outer = outer;
  }

  /** The scope's own variables, which later assignments do not change. */
  get own(): JsonObject {
    return this.#own;
  }

  /** All visible variables, as a copy that later assignments do not change. */
  visible(): JsonObject {
    return { ...this.#outer?.visible(), ...this.#own };
  }

  assign(values: JsonObject): void {
    this.#own = { ...this.#own, ...values };
  }
}

/** The outcome of a successful state. */
export interface Outcome {
  readonly output: Json;
  /** Takes effect after the state, so that all its expressions see the old values. */
  readonly assigned: JsonObject;
  /** The next state; undefined at the end of a block. */
  readonly next: string | undefined;
}

/** Waits in a scope. @throws Interruption as soon as the scope must stop */
export async function pause(scope: Scope, milliseconds: number): Promise<void> {
  const { signal, execution } = scope;
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = execution.clock.schedule(milliseconds, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}
