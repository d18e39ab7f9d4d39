import type { State } from '../definition/types.ts';
import { QueryError, StateError } from '../errors.ts';
import { evaluate } from '../expression.ts';
import { type Json, type JsonObject, MAX_PAYLOAD_BYTES, textBytes } from '../json.ts';
import type { Flow } from './scope.ts';

/** What an expression may see beyond input, context and variables; each member where its field allows it. */
export interface Extra {
  readonly result?: Json;
  readonly errorOutput?: Json;
  readonly retryCount?: number;
  readonly token?: string;
  /** The member `Map` of the context object, for a Map's ItemSelector. */
  readonly map?: JsonObject;
}

/** One stay in a state. */
export class Visit {
  readonly flow: Flow;
  readonly name: string;
  readonly state: State;
  readonly input: Json;
  readonly #enteredTime: string;

  constructor(flow: Flow, name: string, state: State, input: Json) {
    this.flow = flow;
    this.name = name;
    this.state = state;
    this.input = input;
    this.#enteredTime = new Date(flow.run.clock.now()).toISOString();
  }

  /**
   * Evaluates a field of the state.
   * @param location the field's path in the state, such as `/Arguments`
   * @throws QueryError (also recorded in the history), or StateError States.DataLimitExceeded
   */
  async evaluate(template: Json, location: string, extra: Extra = {}): Promise<Json> {
    try {
      const value = await evaluate(template, location, {
        variables: this.flow.variables.visible(),
        states: this.#states(extra),
        now: this.flow.run.clock.now(),
      });
      this.flow.signal.throwIfAborted();
      this.checkSize(value, `the field '${location.slice(1)}'`);
      return value;
    } catch (error) {
      throw this.noted(error);
    }
  }

  /** Like evaluate, for a field that must give a certain type. */
  async evaluateAs<T extends Json>(
    template: Json,
    location: string,
    is: (value: Json) => value is T,
    what: string,
    extra: Extra = {},
  ): Promise<T> {
    const value = await this.evaluate(template, location, extra);
    if (is(value)) return value;
    throw this.noted(
      new QueryError(
        location,
        `The field '${location.slice(1)}' must give ${what}, got ${JSON.stringify(value)}`,
      ),
    );
  }

  /** Output and Assign of a state, catcher or choice rule: both see the variables as they were. */
  async shape(
    fields: { Output?: Json; Assign?: JsonObject },
    location: string,
    otherwise: Json,
    extra: Extra = {},
  ): Promise<{ output: Json; assigned: JsonObject }> {
    const output =
      fields.Output === undefined
        ? otherwise
        : await this.evaluate(fields.Output, `${location}/Output`, extra);
    const assigned =
      fields.Assign === undefined ? {} : await this.evaluate(fields.Assign, `${location}/Assign`, extra);
    this.checkSize(output, 'the output');
    return { output, assigned: assigned as JsonObject };
  }

  /** @throws StateError States.DataLimitExceeded, which no Retry or Catch sees */
  checkSize(value: Json, what: string): void {
    const bytes = textBytes(JSON.stringify(value));
    if (bytes > MAX_PAYLOAD_BYTES) {
      throw new StateError(
        'States.DataLimitExceeded',
        `The state '${this.name}' made ${what} ${bytes} bytes long; at most ${MAX_PAYLOAD_BYTES} are allowed. Pass a pointer to the data instead.`,
      );
    }
  }

  /** Puts a failed evaluation into the history on its way out. */
  noted(error: unknown): unknown {
    if (error instanceof QueryError) {
      const details = {
        state: this.name,
        error: error.error,
        cause: error.reason ?? '',
        location: error.location.slice(1),
      };
      this.flow.trail.record('EvaluationFailed', { evaluationFailedEventDetails: details });
    }
    return error;
  }

  #states(extra: Extra): Record<string, Json> {
    const map = extra.map ?? this.flow.map;
    const context: JsonObject = {
      ...this.flow.run.context,
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

/** Guards for evaluateAs. */
export const isText = (value: Json): value is string => typeof value === 'string';
export const isBoolean = (value: Json): value is boolean => typeof value === 'boolean';
export const isList = (value: Json): value is Json[] => Array.isArray(value);

/** A guard for whole numbers within bounds. */
export function isWhole(min: number, max: number): (value: Json) => value is number {
  return (value): value is number =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
