import type { JsonObject } from './json.ts';

/** An error of the service's API; `code` is the exception name an AWS SDK throws. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = code;
    this.code = code;
  }
}

/** Shorthand for a request that breaks the API's own limits. */
export function validationError(message: string): ApiError {
  return new ApiError('ValidationException', message);
}

/** What a state can end in: the error name and cause that Retry and Catch see. */
export class StateError extends Error {
  readonly error: string;
  /** Undefined when a Fail state or a callback gave none. */
  readonly reason: string | undefined;

  constructor(error: string, reason?: string) {
    super(reason === undefined ? error : `${error}: ${reason}`);
    this.name = 'StateError';
    this.error = error;
    this.reason = reason;
  }

  /** The value of `$states.errorOutput`. */
  get errorOutput(): JsonObject {
    return this.reason === undefined ? { Error: this.error } : { Error: this.error, Cause: this.reason };
  }
}

/** An expression that could not be evaluated, with the field it stands in for the EvaluationFailed event. */
export class QueryError extends StateError {
  readonly location: string;

  constructor(location: string, reason: string) {
    super('States.QueryEvaluationError', reason);
    this.location = location;
  }
}

/**
 * Thrown through a flow that must stop: its execution was stopped or timed out, a sibling branch failed, or
 * the service is closing. No Retry or Catch ever sees it.
 */
export class Interruption extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'Interruption';
  }
}
