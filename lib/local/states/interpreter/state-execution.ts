import type { State } from '../definition/types.ts';
import { QueryError, StateError } from '../errors.ts';
import { evaluate, expressionIn } from '../expression.ts';
import { type Json, type JsonObject, MAX_PAYLOAD_BYTES, textBytes } from '../json.ts';
import type { EnteredEvent } from '../progress.ts';
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
  readonly #entered: EnteredEvent;
  readonly #enteredTime: string;

  constructor(scope: Scope, name: string, state: State, input: Json, entered: EnteredEvent) {
    this.scope = scope;
    this.name = name;
    this.state = state;
    this.input = input;
    this.#entered = entered;
    this.#enteredTime = new Date(scope.execution.clock.now()).toISOString();
  }

  /**
   * Evaluates a field of the state.
   * @param location the field's path in the state, such as `/Arguments`
   * @throws StateError States.QueryEvaluationError (also recorded in the history) or States.DataLimitExceeded
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
      throw error instanceof QueryError ? this.queryFailure(error.location, error.reason) : error;
    }
  }

  /**
   * Evaluates a field that must return a certain type.
   * @param type the type in the words of JSON, such as `array`
   */
  async evaluateAs<T extends Json>(
    template: Json,
    location: string,
    is: (value: Json) => value is T,
    type: string,
    extra: Extra = {},
  ): Promise<T> {
    const value = await this.evaluate(template, location, extra);
    if (is(value)) return value;
    const expression = typeof template === 'string' ? (expressionIn(template) ?? template) : '';
    throw this.queryFailure(
      location,
      `The JSONata expression '${expression}' specified for the field '${location.slice(1)}' returned an unexpected result type. Expected '${type}', but was '${typeOf(value)}' for value: ${JSON.stringify(value)}`,
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
      throw this.failure(
        'States.DataLimitExceeded',
        `${what} has ${bytes} bytes; at most ${MAX_PAYLOAD_BYTES} are allowed. Pass a reference to the data instead.`,
        true,
      );
    }
  }

  /** Creates an error that Step Functions itself reports for this state: its cause names the state and where it began. */
  failure(error: string, reason: string, terminal?: boolean): StateError {
    return new StateError(
      error,
      `An error occurred while executing the state '${this.name}' (entered at the event id #${this.#entered.id}). ${reason}`,
      terminal,
    );
  }

  /**
   * Creates the error of a failed evaluation and records it in the history.
   * @param location the field's path in the state; undefined for the state's input
   * @param after the previous event in the chain
   */
  queryFailure(
    location: string | undefined,
    reason: string | undefined,
    after: number = this.#afterFailure,
  ): StateError {
    const failure = this.failure('States.QueryEvaluationError', reason ?? '');
    const { history } = this.scope;
    const details = {
      state: this.name,
      ...failure.details,
      ...(location !== undefined && { location: location.slice(1) }),
    };
    history.record('EvaluationFailed', { evaluationFailedEventDetails: details }, after);
    return failure;
  }

  /** The chain of events skips a state that fails before it has done anything else, as recorded in AWS. */
  get #afterFailure(): number {
    const { last } = this.scope.history;
    return last === this.#entered.id ? this.#entered.previous : last;
  }

  #states(extra: Extra): Record<string, Json> {
    const map = extra.map ?? this.scope.map;
    const context: JsonObject = {
      ...this.scope.execution.context,
      State: {
        Name: this.name,
        EnteredTime: this.#enteredTime,
        ...(extra.retryCount !== undefined && { RetryCount: extra.retryCount }),
      },
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

function typeOf(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** A type guard for whole numbers within bounds. */
export function isInteger(min: number, max: number): (value: Json) => value is number {
  return (value): value is number =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
