import { type TaskState, waitsForToken } from '../definition/types.ts';
import { QueryError, StateError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { invocationError, returnedBy } from '../lambda.ts';
import { Race } from './race.ts';
import { isWhole, type Visit } from './state-execution.ts';

/** Bounds of TimeoutSeconds and HeartbeatSeconds, and the timeout of a task that names none (ASL). */
const LONGEST_SECONDS = 99_999_999;

interface Invocation {
  readonly functionName: string;
  readonly payload: Json;
}

/** One try of a task, ready to go. */
interface Attempt extends Invocation {
  readonly timeoutSeconds: number;
  readonly heartbeatSeconds: number | undefined;
  readonly token: string | undefined;
}

/**
 * Does a task's work once: `lambda:invoke` ends with the function's answer, `.waitForTaskToken` with the
 * callback, or with the function's error when it fails first.
 * @returns the value of `$states.result`
 */
export async function attemptTask(visit: Visit, state: TaskState, retryCount: number): Promise<Json> {
  const { trail } = visit.flow;
  const attempt = await prepare(visit, state, retryCount);
  const about = { resourceType: 'lambda', resource: state.Resource.split(':lambda:')[1] ?? '' };
  trail.record('TaskScheduled', { taskScheduledEventDetails: scheduledDetails(visit, about, attempt) });
  trail.record('TaskStarted', { taskStartedEventDetails: about });
  try {
    const result = await settle(visit, attempt, about);
    visit.checkSize(result, 'its result');
    trail.record('TaskSucceeded', {
      taskSucceededEventDetails: {
        ...about,
        output: JSON.stringify(result),
        outputDetails: { truncated: false },
      },
    });
    return result;
  } catch (error) {
    if (error instanceof StateError) {
      const details = {
        ...about,
        error: error.error,
        ...(error.reason !== undefined && { cause: error.reason }),
      };
      const timedOut = error.error === 'States.Timeout' || error.error === 'States.HeartbeatTimeout';
      if (timedOut) trail.record('TaskTimedOut', { taskTimedOutEventDetails: details });
      else trail.record('TaskFailed', { taskFailedEventDetails: details });
    }
    throw error;
  }
}

async function prepare(visit: Visit, state: TaskState, retryCount: number): Promise<Attempt> {
  const { run } = visit.flow;
  // Every try has its own token: a callback that comes late must not answer the next try.
  const token = waitsForToken(state.Resource) ? run.tokens.issue(run.executionArn) : undefined;
  const extra = { retryCount, ...(token !== undefined && { token }) };
  const invocation = readArguments(await visit.evaluate(state.Arguments, '/Arguments', extra));
  const seconds = (value: number | string, field: string): Promise<number> =>
    visit.evaluateAs(
      value,
      `/${field}`,
      isWhole(1, LONGEST_SECONDS),
      `a whole number from 1 to ${LONGEST_SECONDS}`,
      { retryCount },
    );
  const timeoutSeconds =
    state.TimeoutSeconds === undefined
      ? LONGEST_SECONDS
      : await seconds(state.TimeoutSeconds, 'TimeoutSeconds');
  const heartbeatSeconds =
    state.HeartbeatSeconds === undefined
      ? undefined
      : await seconds(state.HeartbeatSeconds, 'HeartbeatSeconds');
  if (heartbeatSeconds !== undefined && heartbeatSeconds >= timeoutSeconds) {
    throw visit.noted(
      new QueryError(
        '/HeartbeatSeconds',
        `The field 'HeartbeatSeconds' must be less than TimeoutSeconds (${timeoutSeconds}), got ${heartbeatSeconds}`,
      ),
    );
  }
  return { ...invocation, timeoutSeconds, heartbeatSeconds, token };
}

/** @throws StateError States.Runtime when an expression gave arguments that lambda:invoke does not take */
function readArguments(given: Json): Invocation {
  const unknown = isObject(given)
    ? Object.keys(given).filter((name) => name !== 'FunctionName' && name !== 'Payload')
    : [];
  if (!isObject(given) || typeof given.FunctionName !== 'string' || unknown.length > 0) {
    throw new StateError(
      'States.Runtime',
      `The Arguments '${JSON.stringify(given).slice(0, 200)}' could not be used to start the Task: they must be FunctionName (a string) and Payload, nothing else`,
    );
  }
  return { functionName: given.FunctionName, payload: given.Payload ?? {} };
}

function scheduledDetails(visit: Visit, about: JsonObject, attempt: Attempt): JsonObject {
  const { functionName, payload, timeoutSeconds, heartbeatSeconds } = attempt;
  return {
    ...about,
    region: visit.flow.run.region,
    parameters: JSON.stringify({ FunctionName: functionName, Payload: payload }),
    ...(timeoutSeconds !== LONGEST_SECONDS && { timeoutInSeconds: timeoutSeconds }),
    ...(heartbeatSeconds !== undefined && { heartbeatInSeconds: heartbeatSeconds }),
  };
}

/** Sets everything going that can end the attempt, and waits for the first. */
async function settle(visit: Visit, attempt: Attempt, about: JsonObject): Promise<Json> {
  const { flow } = visit;
  const { clock, tokens } = flow.run;
  const { token, heartbeatSeconds } = attempt;
  const race = new Race(clock);
  race.failOn(flow.signal);
  race.failAfter(attempt.timeoutSeconds, 'States.Timeout');
  const beat = (): void => {
    if (heartbeatSeconds !== undefined) race.beat(heartbeatSeconds);
  };
  beat();
  if (token !== undefined) {
    // Open before the function starts: it may call back before it returns.
    tokens.open(token, {
      succeed: (output) => race.succeed(output),
      fail: (error) => race.fail(error),
      beat,
    });
    race.whenOver(() => tokens.close(token));
  }
  invoke(visit, attempt)
    .then((reply) => {
      if (token === undefined) race.succeed(reply);
      else if (race.open)
        flow.trail.record('TaskSubmitted', { taskSubmittedEventDetails: { ...about, ...outputOf(reply) } });
    })
    .catch((error) => race.fail(invocationError(error)));
  return race.outcome;
}

function outputOf(value: Json): JsonObject {
  return { output: JSON.stringify(value), outputDetails: { truncated: false } };
}

async function invoke(visit: Visit, { functionName, payload }: Attempt): Promise<JsonObject> {
  const { invokeLambda, closing } = visit.flow.run;
  const reply = await invokeLambda({ functionName, payload: JSON.stringify(payload), signal: closing });
  return { ExecutedVersion: reply.executedVersion, Payload: returnedBy(reply), StatusCode: reply.statusCode };
}
