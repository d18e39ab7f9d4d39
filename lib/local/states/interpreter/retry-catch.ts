import type { GuardedState, Retrier } from '../definition/types.ts';
import { Interruption, StateError } from '../errors.ts';
import type { Json } from '../json.ts';
import { type Outcome, pause } from './scope.ts';
import type { Visit } from './state-execution.ts';

/** Errors that end the execution whatever the machine says. */
const TERMINAL = ['States.DataLimitExceeded', 'States.Runtime'];

/**
 * Whether an ErrorEquals list takes an error. States.TaskFailed is read to the letter of the developer
 * guide: "any known error name except for States.Timeout", so it does take States.HeartbeatTimeout.
 */
export function takes(errorEquals: readonly string[], error: string): boolean {
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
 * Seconds to wait before the next try.
 * @param used how many retries this retrier has already given
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
 * Runs a Task, Parallel or Map state under its Retry and Catch. The state's Output and Assign belong to the
 * attempt: an expression that fails in them can be caught as well.
 * @param attempt does the state's work once and gives its result
 */
export async function guarded(
  visit: Visit,
  state: GuardedState,
  attempt: (retryCount: number) => Promise<Json>,
): Promise<Outcome> {
  const used = new Map<Retrier, number>();
  for (let retryCount = 0; ; retryCount++) {
    try {
      const result = await attempt(retryCount);
      visit.checkSize(result, 'its result');
      const shaped = await visit.shape(state, '', result, { result, retryCount });
      return { ...shaped, next: state.Next };
    } catch (error) {
      const failure = asStateError(error);
      // The first retrier that takes the error decides; once it is used up, later ones are not asked.
      const retrier = state.Retry?.find(({ ErrorEquals }) => takes(ErrorEquals, failure.error));
      const before = retrier ? (used.get(retrier) ?? 0) : 0;
      if (!retrier || before >= (retrier.MaxAttempts ?? 3)) return caught(visit, state, failure, retryCount);
      used.set(retrier, before + 1);
      await pause(visit.flow, retryDelay(retrier, before, visit.flow.run.random()) * 1000);
    }
  }
}

async function caught(
  visit: Visit,
  state: GuardedState,
  failure: StateError,
  retryCount: number,
): Promise<Outcome> {
  for (const [index, catcher] of (state.Catch ?? []).entries()) {
    if (!takes(catcher.ErrorEquals, failure.error)) continue;
    const errorOutput = failure.errorOutput;
    const shaped = await visit.shape(catcher, `/Catch/${index}`, errorOutput, { errorOutput, retryCount });
    return { ...shaped, next: catcher.Next };
  }
  throw failure;
}

/** Everything a state can fail with is a StateError; an interruption passes, a mistake of ours is named as one. */
export function asStateError(error: unknown): StateError {
  if (error instanceof Interruption) throw error;
  if (error instanceof StateError) return error;
  return new StateError(
    'States.Runtime',
    `The local Step Functions service failed: ${error instanceof Error ? error.stack : String(error)}`,
  );
}
