import { type TaskState, waitsForToken } from '../definition/types.ts';
import { StateError, TimeoutError } from '../errors.ts';
import { isObject, type Json, type JsonObject, MAX_PAYLOAD_BYTES, textBytes } from '../json.ts';
import { invocationError, returnedValue } from '../lambda.ts';
import { Race } from './race.ts';
import { isInteger, type StateExecution } from './state-execution.ts';

/** The limit of TimeoutSeconds and HeartbeatSeconds, and the default timeout of a task (ASL). */
const LONGEST_SECONDS = 99_999_999;

interface Invocation {
  readonly functionName: string;
  readonly payload: Json;
}

/** The evaluated parameters of one attempt of a task. */
interface Attempt extends Invocation {
  readonly timeoutSeconds: number;
  readonly heartbeatSeconds: number | undefined;
  readonly token: string | undefined;
}

/**
 * Runs a task once: `lambda:invoke` ends with the function's result, `.waitForTaskToken` with the callback, or with
 * the function's error if it fails first.
 * @returns the value of `$states.result`
 */
export async function attemptTask(
  current: StateExecution,
  state: TaskState,
  retryCount: number,
): Promise<Json> {
  const { history, execution, signal } = current.scope;
  // Until the function has returned, however long the state lasts.
  const leave = await execution.lambdaSlots?.acquire(signal);
  const attempt = await prepare(current, state, retryCount).catch((error) => {
    leave?.();
    throw error;
  });
  const resource = { resourceType: 'lambda', resource: state.Resource.split(':lambda:')[1] ?? '' };
  history.record('TaskScheduled', {
    taskScheduledEventDetails: scheduledDetails(current, resource, attempt),
  });
  history.record('TaskStarted', { taskStartedEventDetails: resource });
  try {
    const result = await settle(current, attempt, resource, leave);
    if (textBytes(JSON.stringify(result)) > MAX_PAYLOAD_BYTES)
      throw new StateError(
        'States.DataLimitExceeded',
        `The state/task '${resource.resourceType}' returned a result with a size exceeding the maximum number of bytes service limit.`,
      );
    history.record('TaskSucceeded', {
      taskSucceededEventDetails: {
        ...resource,
        output: JSON.stringify(result),
        outputDetails: { truncated: false },
      },
    });
    return result;
  } catch (error) {
    if (error instanceof StateError) {
      const details = { ...resource, ...error.details };
      if (error instanceof TimeoutError)
        history.record('TaskTimedOut', { taskTimedOutEventDetails: details });
      else history.record('TaskFailed', { taskFailedEventDetails: details });
    }
    throw error;
  }
}

async function prepare(current: StateExecution, state: TaskState, retryCount: number): Promise<Attempt> {
  const { execution } = current.scope;
  // Every attempt has its own token: a late callback must not complete the next attempt.
  const token = waitsForToken(state.Resource) ? execution.tokens.issue(execution.executionArn) : undefined;
  const extra = { retryCount, ...(token !== undefined && { token }) };
  const invocation = readArguments(current, await current.evaluate(state.Arguments, '/Arguments', extra));
  const seconds = (value: number | string, field: string): Promise<number> =>
    current.evaluateAs(
      value,
      `/${field}`,
      isInteger(1, LONGEST_SECONDS),
      `integer from 1 to ${LONGEST_SECONDS}`,
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
    throw current.queryFailure(
      '/HeartbeatSeconds',
      `The field 'HeartbeatSeconds' must be less than TimeoutSeconds (${timeoutSeconds}), got ${heartbeatSeconds}`,
    );
  }
  return { ...invocation, timeoutSeconds, heartbeatSeconds, token };
}

/** @throws StateError States.Runtime if an expression returned arguments that lambda:invoke does not accept */
function readArguments(current: StateExecution, value: Json): Invocation {
  const unknown = isObject(value)
    ? Object.keys(value).filter((name) => name !== 'FunctionName' && name !== 'Payload')
    : [];
  if (!isObject(value) || typeof value.FunctionName !== 'string' || unknown.length > 0) {
    throw current.failure(
      'States.Runtime',
      `The Arguments '${JSON.stringify(value).slice(0, 200)}' could not be used to start the Task: they must be FunctionName (a string) and Payload, nothing else`,
    );
  }
  return { functionName: value.FunctionName, payload: value.Payload ?? {} };
}

function scheduledDetails(current: StateExecution, resource: JsonObject, attempt: Attempt): JsonObject {
  const { functionName, payload, timeoutSeconds, heartbeatSeconds } = attempt;
  return {
    ...resource,
    region: current.scope.execution.region,
    parameters: JSON.stringify({ FunctionName: functionName, Payload: payload }),
    ...(timeoutSeconds !== LONGEST_SECONDS && { timeoutInSeconds: timeoutSeconds }),
    ...(heartbeatSeconds !== undefined && { heartbeatInSeconds: heartbeatSeconds }),
  };
}

/** Starts everything that can end the attempt, and waits for the first. */
async function settle(
  current: StateExecution,
  attempt: Attempt,
  resource: JsonObject,
  leave?: () => void,
): Promise<Json> {
  const { scope } = current;
  const { clock, tokens } = scope.execution;
  const { token, heartbeatSeconds } = attempt;
  const race = new Race(clock);
  race.failOn(scope.signal);
  race.failAfter(attempt.timeoutSeconds);
  const beat = (): void => {
    if (heartbeatSeconds !== undefined) race.beat(heartbeatSeconds);
  };
  beat();
  if (token !== undefined) {
    // Before the function starts, because it may call back before it returns.
    tokens.open(token, {
      succeed: (output) => race.succeed(output),
      fail: (error) => race.fail(error),
      beat,
    });
    race.onEnd(() => tokens.close(token));
  }
  invoke(current, attempt)
    .finally(leave)
    .then((reply) => {
      if (token === undefined) race.succeed(reply);
      else if (race.open)
        scope.history.record('TaskSubmitted', {
          taskSubmittedEventDetails: { ...resource, ...outputOf(reply) },
        });
    })
    .catch((error) => race.fail(invocationError(error)));
  return race.outcome;
}

function outputOf(value: Json): JsonObject {
  return { output: JSON.stringify(value), outputDetails: { truncated: false } };
}

async function invoke(current: StateExecution, { functionName, payload }: Attempt): Promise<JsonObject> {
  const { invokeLambda, closing, roleArn, stateMachineArn } = current.scope.execution;
  const reply = await invokeLambda({
    functionName,
    payload: JSON.stringify(payload),
    signal: closing,
    roleArn,
    stateMachineArn,
  });
  return {
    ExecutedVersion: reply.executedVersion,
    Payload: returnedValue(reply),
    StatusCode: reply.statusCode,
  };
}
