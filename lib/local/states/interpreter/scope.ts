import type { Clock } from '../clock.ts';
import type { Trail } from '../history.ts';
import type { Json, JsonObject } from '../json.ts';
import type { InvokeLambda } from '../lambda.ts';
import type { TaskTokens } from '../tokens.ts';

/** What is the same for every flow of one execution. */
export interface Run {
  /** The members `Execution` and `StateMachine` of the context object. */
  readonly context: JsonObject;
  readonly executionArn: string;
  readonly region: string;
  readonly clock: Clock;
  readonly tokens: TaskTokens;
  readonly invokeLambda: InvokeLambda;
  /** A number from 0 up to 1, for retry jitter. */
  readonly random: () => number;
  /** Aborted when the service closes. */
  readonly closing: AbortSignal;
  /** Called at every state, so that what happened so far can be kept. */
  readonly checkpoint: () => void;
}

/** One thread of an execution: its top level, a Parallel branch or a Map iteration. */
export interface Flow {
  readonly run: Run;
  readonly variables: Variables;
  readonly trail: Trail;
  /** Aborted with an Interruption when this flow must stop. */
  readonly signal: AbortSignal;
  /** The member `Map` of the context object, inside a Map iteration. */
  readonly map?: JsonObject;
}

/** Variables of one scope. A branch sees the ones around it; its own end with it. */
export class Variables {
  readonly #outer: Variables | undefined;
  #own: JsonObject = {};

  constructor(outer?: Variables) {
    this.#outer = outer;
  }

  /** All that can be seen from here. The record does not change under a reader when variables are assigned. */
  visible(): JsonObject {
    return { ...this.#outer?.visible(), ...this.#own };
  }

  assign(values: JsonObject): void {
    this.#own = { ...this.#own, ...values };
  }
}

/** How a state ended when it did not fail. */
export interface Outcome {
  readonly output: Json;
  /** Takes effect when the state is left, so that every expression in it saw the old values. */
  readonly assigned: JsonObject;
  /** The state to go to; undefined at the end of a block. */
  readonly next: string | undefined;
}

/** Lets time pass in a flow; ends early, with the interruption, when the flow must stop. */
export async function pause(flow: Flow, milliseconds: number): Promise<void> {
  const { signal, run } = flow;
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = run.clock.schedule(milliseconds, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}
