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
  /** The name in the history and in the execution's result; undefined if a Fail state or a callback has none. */
  readonly error: string | undefined;
  readonly reason: string | undefined;
  /** Ends the execution, even if a retrier or catcher names it. */
  readonly terminal: boolean;

  constructor(error: string | undefined, reason?: string, terminal: boolean = error === 'States.Runtime') {
    super([error, reason].filter((part) => part !== undefined).join(': '));
    this.name = 'StateError';
    this.error = error;
    this.reason = reason;
    this.terminal = terminal;
  }

  /** The names by which Retry and Catch can select the error. */
  get names(): readonly string[] {
    return this.error === undefined ? [] : [this.error];
  }

  /** The value of `$states.errorOutput`; what is missing is null. */
  get errorOutput(): JsonObject {
    return { Error: this.error ?? null, Cause: this.reason ?? null };
  }

  /** The members `error` and `cause` of a history event or an execution, without those that are missing. */
  get details(): { error?: string; cause?: string } {
    return {
      ...(this.error !== undefined && { error: this.error }),
      ...(this.reason !== undefined && { cause: this.reason }),
    };
  }
}

/** An attempt of a task that took too long as a whole, or sent no heartbeat in time. */
export class TimeoutError extends StateError {
  readonly #missedHeartbeat: boolean;

  constructor({ missedHeartbeat = false } = {}) {
    super('States.Timeout');
    this.#missedHeartbeat = missedHeartbeat;
  }

  /** Both names for a missed heartbeat: the history has States.Timeout, and catchers may name either. */
  override get names(): readonly string[] {
    return this.#missedHeartbeat ? ['States.Timeout', 'States.HeartbeatTimeout'] : ['States.Timeout'];
  }

  /** The history has no cause, but a catcher gets an empty one. */
  override get errorOutput(): JsonObject {
    return { Error: 'States.Timeout', Cause: '' };
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
