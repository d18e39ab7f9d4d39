import type { Retrier, RetryableState } from '../definition/types.ts';
import { Interruption, StateError } from '../errors.ts';
import type { Json } from '../json.ts';
import { type Outcome, pause } from './scope.ts';
import type { StateExecution } from './state-execution.ts';

/**
 * Returns true if an ErrorEquals list matches an error. States.TaskFailed matches every error except timeouts, of which
 * a missed heartbeat is one. Errors without a name match States.ALL and States.TaskFailed only.
 */
export function matchesError(errorEquals: readonly string[], { names, terminal }: StateError): boolean {
  if (terminal) return false;
  return errorEquals.some(
    (wanted) =>
      wanted === 'States.ALL' ||
      names.includes(wanted) ||
      (wanted === 'States.TaskFailed' && !names.includes('States.Timeout')),
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
  const { scope } = current;
  for (let retryCount = 0; ; retryCount++) {
    let succeeded = false;
    try {
      const result = await attempt(retryCount);
      succeeded = true;
      current.checkSize(result, 'the result');
      const shaped = await current.shape(state, '', result, { result, retryCount });
      return { ...shaped, next: state.Next };
    } catch (error) {
      const failure = asStateError(error);
      // Only the branches that did not succeed are redriven, unless their results are too long together.
      if (succeeded && failure.error === 'States.DataLimitExceeded') delete scope.progress.branches;
      // Only the first retrier that matches the error counts, even if its retries are used up.
      const retrier = state.Retry?.find(({ ErrorEquals }) => matchesError(ErrorEquals, failure));
      const before = retrier ? (used.get(retrier) ?? 0) : 0;
      if (!retrier || before >= (retrier.MaxAttempts ?? 3)) {
        if (!succeeded && state.Type !== 'Task') scope.history.record(`${state.Type}StateFailed`);
        return applyCatch(current, state, failure, retryCount);
      }
      used.set(retrier, before + 1);
      await pause(scope, retryDelay(retrier, before, scope.execution.random()) * 1000);
      delete scope.progress.branches;
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
    if (!matchesError(catcher.ErrorEquals, failure)) continue;
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
