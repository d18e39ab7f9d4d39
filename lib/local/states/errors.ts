import type { JsonObject } from './json.ts';

/** An error of the service's API; `code` is the name of the exception in AWS SDKs. */
export class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = code;
    this.code = code;
  }
}

/** An error for a request that violates the API's own limits. */
export function validationError(message: string): ApiError {
  return new ApiError('ValidationException', message);
}

/** The failure of a state: the error name and cause that Retry and Catch see. */
export class StateError extends Error {
  readonly error: string;
  /** Undefined if a Fail state or a callback has none. */
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

/** A failed evaluation of an expression, with its field for the EvaluationFailed event. */
export class QueryError extends StateError {
  readonly location: string;

  constructor(location: string, reason: string) {
    super('States.QueryEvaluationError', reason);
    this.location = location;
  }
}

/**
 * Unwinds a scope that must stop: its execution was stopped or timed out, a sibling branch failed, or the service is
 * closing. Retry and Catch do not apply to it.
 */
export class Interruption extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'Interruption';
  }
}
