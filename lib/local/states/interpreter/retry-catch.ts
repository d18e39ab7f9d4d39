import type { Retrier, RetryableState } from '../definition/types.ts';
import { Interruption, StateError } from '../errors.ts';
import type { Json } from '../json.ts';
import { type Outcome, pause } from './scope.ts';
import type { StateExecution } from './state-execution.ts';

/** Errors that always end the execution. */
const TERMINAL = ['States.DataLimitExceeded', 'States.Runtime'];

/**
 * Returns true if an ErrorEquals list matches an error. States.TaskFailed follows the wording of the developer guide:
 * "any known error name except for States.Timeout", so it matches States.HeartbeatTimeout.
 */
export function matchesError(errorEquals: readonly string[], error: string): boolean {
  if (TERMINAL.includes(error)) return false;
  return errorEquals.some(
    (wanted) =>
      wanted === 'States.ALL' ||
      wanted === error ||
      (wanted === 'States.TaskFailed' && error !== 'States.Timeout') ||
      (wanted === 'States.Timeout' && error === 'States.HeartbeatTimeout'),
  );
}

/**
 * Seconds to wait before the next retry.
 * @param used the number of retries that this retrier has already done
 * @param random a number from 0 up to 1, used with full jitter
 */
export function retryDelay(retrier: Retrier, used: number, random: number): number {
  const {
    IntervalSeconds = 1,
    BackoffRate = 2,
    MaxDelaySeconds = Number.POSITIVE_INFINITY,
    JitterStrategy = 'NONE',
  } = retrier;
  const delay = Math.min(IntervalSeconds * BackoffRate ** used, MaxDelaySeconds);
  return JitterStrategy === 'FULL' ? delay * random : delay;
}

/**
 * Runs a Task, Parallel or Map state with its Retry and Catch. The state's Output and Assign are part of the attempt:
 * errors of their expressions can be caught too.
 * @param attempt does the state's work once and returns its result
 */
export async function withRetryAndCatch(
  current: StateExecution,
  state: RetryableState,
  attempt: (retryCount: number) => Promise<Json>,
): Promise<Outcome> {
  const used = new Map<Retrier, number>();
  for (let retryCount = 0; ; retryCount++) {
    try {
      const result = await attempt(retryCount);
      current.checkSize(result, 'its result');
      const shaped = await current.shape(state, '', result, { result, retryCount });
      return { ...shaped, next: state.Next };
    } catch (error) {
      const failure = asStateError(error);
      // Only the first retrier that matches the error counts, even if its retries are used up.
      const retrier = state.Retry?.find(({ ErrorEquals }) => matchesError(ErrorEquals, failure.error));
      const before = retrier ? (used.get(retrier) ?? 0) : 0;
      if (!retrier || before >= (retrier.MaxAttempts ?? 3))
        return applyCatch(current, state, failure, retryCount);
      used.set(retrier, before + 1);
      await pause(current.scope, retryDelay(retrier, before, current.scope.execution.random()) * 1000);
    }
  }
}

async function applyCatch(
  current: StateExecution,
  state: RetryableState,
  failure: StateError,
  retryCount: number,
): Promise<Outcome> {
  for (const [index, catcher] of (state.Catch ?? []).entries()) {
    if (!matchesError(catcher.ErrorEquals, failure.error)) continue;
    const errorOutput = failure.errorOutput;
    const shaped = await current.shape(catcher, `/Catch/${index}`, errorOutput, { errorOutput, retryCount });
    return { ...shaped, next: catcher.Next };
  }
  throw failure;
}

/** Converts any error to a StateError; rethrows interruptions, and reports bugs of this service as such. */
export function asStateError(error: unknown): StateError {
  if (error instanceof Interruption) throw error;
  if (error instanceof StateError) return error;
  return new StateError(
    'States.Runtime',
    `The local Step Functions service failed: ${error instanceof Error ? error.stack : String(error)}`,
  );
}
