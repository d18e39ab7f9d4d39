import type { State } from '../definition/types.ts';
import { QueryError, StateError } from '../errors.ts';
import { evaluate } from '../expression.ts';
import { type Json, type JsonObject, MAX_PAYLOAD_BYTES, textBytes } from '../json.ts';
import type { Scope } from './scope.ts';

/** Bindings besides input, context and variables; each is present where its field allows it. */
export interface Extra {
  readonly result?: Json;
  readonly errorOutput?: Json;
  readonly retryCount?: number;
  readonly token?: string;
  /** The member `Map` of the context object, for a Map's ItemSelector. */
  readonly map?: JsonObject;
}

/** One execution of a state. */
export class StateExecution {
  readonly scope: Scope;
  readonly name: string;
  readonly state: State;
  readonly input: Json;
  readonly #enteredTime: string;

  constructor(scope: Scope, name: string, state: State, input: Json) {
    this.scope = scope;
    this.name = name;
    this.state = state;
    this.input = input;
    this.#enteredTime = new Date(scope.execution.clock.now()).toISOString();
  }

  /**
   * Evaluates a field of the state.
   * @param location the field's path in the state, such as `/Arguments`
   * @throws QueryError (also recorded in the history), or StateError States.DataLimitExceeded
   */
  async evaluate(template: Json, location: string, extra: Extra = {}): Promise<Json> {
    try {
      const value = await evaluate(template, location, {
        variables: this.scope.variables.visible(),
        states: this.#states(extra),
        now: this.scope.execution.clock.now(),
      });
      this.scope.signal.throwIfAborted();
      this.checkSize(value, `the field '${location.slice(1)}'`);
      return value;
    } catch (error) {
      throw this.recordFailure(error);
    }
  }

  /** Evaluates a field that must return a certain type. */
  async evaluateAs<T extends Json>(
    template: Json,
    location: string,
    is: (value: Json) => value is T,
    what: string,
    extra: Extra = {},
  ): Promise<T> {
    const value = await this.evaluate(template, location, extra);
    if (is(value)) return value;
    throw this.recordFailure(
      new QueryError(
        location,
        `The field '${location.slice(1)}' must return ${what}, got ${JSON.stringify(value)}`,
      ),
    );
  }

  /** Evaluates Output and Assign of a state, catcher or choice rule, with the variables before the assignment. */
  async shape(
    fields: { Output?: Json; Assign?: JsonObject },
    location: string,
    fallback: Json,
    extra: Extra = {},
  ): Promise<{ output: Json; assigned: JsonObject }> {
    const output =
      fields.Output === undefined
        ? fallback
        : await this.evaluate(fields.Output, `${location}/Output`, extra);
    const assigned =
      fields.Assign === undefined ? {} : await this.evaluate(fields.Assign, `${location}/Assign`, extra);
    this.checkSize(output, 'the output');
    return { output, assigned: assigned as JsonObject };
  }

  /** @throws StateError States.DataLimitExceeded, which Retry and Catch do not handle */
  checkSize(value: Json, what: string): void {
    const bytes = textBytes(JSON.stringify(value));
    if (bytes > MAX_PAYLOAD_BYTES) {
      throw new StateError(
        'States.DataLimitExceeded',
        `In the state '${this.name}', ${what} has ${bytes} bytes; at most ${MAX_PAYLOAD_BYTES} are allowed. Pass a reference to the data instead.`,
      );
    }
  }

  /** Records a failed evaluation in the history and returns the error. */
  recordFailure(error: unknown): unknown {
    if (error instanceof QueryError) {
      const details = {
        state: this.name,
        error: error.error,
        cause: error.reason ?? '',
        location: error.location.slice(1),
      };
      this.scope.history.record('EvaluationFailed', { evaluationFailedEventDetails: details });
    }
    return error;
  }

  #states(extra: Extra): Record<string, Json> {
    const map = extra.map ?? this.scope.map;
    const context: JsonObject = {
      ...this.scope.execution.context,
      State: { Name: this.name, EnteredTime: this.#enteredTime, RetryCount: extra.retryCount ?? 0 },
      ...(map && { Map: map }),
      ...(extra.token !== undefined && { Task: { Token: extra.token } }),
    };
    return {
      input: this.input,
      context,
      ...(extra.result !== undefined && { result: extra.result }),
      ...(extra.errorOutput !== undefined && { errorOutput: extra.errorOutput }),
    };
  }
}

/** Type guards for evaluateAs. */
export const isText = (value: Json): value is string => typeof value === 'string';
export const isBoolean = (value: Json): value is boolean => typeof value === 'boolean';
export const isList = (value: Json): value is Json[] => Array.isArray(value);

/** A type guard for whole numbers within bounds. */
export function isInteger(min: number, max: number): (value: Json) => value is number {
  return (value): value is number =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
