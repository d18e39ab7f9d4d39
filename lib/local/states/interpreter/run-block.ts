import { isTimestamp } from '../definition/state-shapes.ts';
import type { Block, ChoiceState, FailState, State, WaitState } from '../definition/types.ts';
import { StateError } from '../errors.ts';
import type { Json } from '../json.ts';
import { type EnteredEvent, finish, moveTo, type Position } from '../progress.ts';
import { attemptMap, attemptParallel } from './branches.ts';
import { withRetryAndCatch } from './retry-catch.ts';
import { type Outcome, pause, type Scope } from './scope.ts';
import { isBoolean, isInteger, isText, StateExecution } from './state-execution.ts';
import { attemptTask } from './task.ts';

/** The longest delay of a Wait state, 24,855 days as recorded: the whole days in 2^31 - 1 seconds. */
const LONGEST_WAIT_MS = 24_855 * 24 * 3600 * 1000;

/** Number of states after which the event loop gets a turn, so that an endless loop cannot block the API. */
const STATES_PER_TURN = 50;

/**
 * Runs the states of a block, from StartAt to its end.
 * @returns the last state's output
 * @throws StateError if no state caught it, or Interruption
 */
export async function runBlock(block: Block, input: Json, scope: Scope): Promise<Json> {
  const { history, execution, progress } = scope;
  let resumed = progress.at;
  if (resumed) scope.variables.assign(resumed.variables);
  let name = resumed ? resumed.state : block.StartAt;
  let value = resumed ? resumed.input : input;
  for (let count = 1; ; count++) {
    if (count % STATES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    scope.signal.throwIfAborted();
    const state = block.States[name];
    if (!state) throw new StateError('States.Runtime', `The state '${name}' does not exist`);
    const entered = resumed ? resume(scope, state, resumed) : enterState(scope, name, state, value);
    resumed = undefined;
    const current = new StateExecution(scope, name, state, value, entered);
    execution.checkpoint();
    const { output, assigned, next } = await runState(current, state);
    scope.signal.throwIfAborted();
    scope.variables.assign(assigned);
    const variables = Object.entries(assigned).map(([key, item]) => [key, JSON.stringify(item)]);
    history.record(`${state.Type}StateExited`, {
      stateExitedEventDetails: {
        name,
        output: JSON.stringify(output),
        outputDetails: { truncated: false },
        ...(variables.length > 0 && {
          assignedVariables: Object.fromEntries(variables),
          assignedVariablesDetails: { truncated: false },
        }),
      },
    });
    if (next === undefined) {
      finish(progress, output);
      return output;
    }
    name = next;
    value = output;
    // Otherwise a redrive would run this state again if the execution stops here.
    moveTo(progress, { state: name, input: value, variables: scope.variables.own });
  }
}

function enterState(scope: Scope, name: string, state: State, input: Json): EnteredEvent {
  const { history, progress, variables } = scope;
  const previous = history.last;
  const id = history.record(`${state.Type}StateEntered`, {
    stateEnteredEventDetails: { name, input: JSON.stringify(input), inputDetails: { truncated: false } },
  });
  moveTo(progress, { state: name, input, variables: variables.own, entered: { id, previous } });
  return { id, previous };
}

/** Continues in a state of a redriven execution. A state is not entered twice, except for Fail, as documented. */
function resume(scope: Scope, state: State, { state: name, input, entered }: Position): EnteredEvent {
  if (entered === undefined || state.Type === 'Fail') return enterState(scope, name, state, input);
  scope.history.resume(state.Type);
  return entered;
}

async function runState(current: StateExecution, state: State): Promise<Outcome> {
  switch (state.Type) {
    case 'Task':
      return withRetryAndCatch(current, state, (retryCount) => attemptTask(current, state, retryCount));
    case 'Parallel':
      return withRetryAndCatch(current, state, (retryCount) =>
        attemptParallel(current, state, runBlock, retryCount),
      );
    case 'Map':
      return withRetryAndCatch(current, state, (retryCount) =>
        attemptMap(current, state, runBlock, retryCount),
      );
    case 'Pass':
      return { ...(await current.shape(state, '', current.input)), next: state.Next };
    case 'Wait':
      await pause(current.scope, await waitTime(current, state));
      return { ...(await current.shape(state, '', current.input)), next: state.Next };
    case 'Choice':
      return choose(current, state);
    case 'Succeed':
      return { ...(await current.shape(state, '', current.input)), next: undefined };
    case 'Fail':
      return fail(current, state);
  }
}

/** The time that a Wait state waits, in milliseconds. */
async function waitTime(current: StateExecution, state: WaitState): Promise<number> {
  const delay = await waitDelay(current, state);
  if (delay > LONGEST_WAIT_MS) throw current.failure('States.Runtime', 'Wait state delay is too long.');
  return delay;
}

async function waitDelay(current: StateExecution, state: WaitState): Promise<number> {
  if (state.Seconds !== undefined) {
    const seconds = isInteger(0, 99_999_999);
    return (
      1000 * (await current.evaluateAs(state.Seconds, '/Seconds', seconds, 'integer from 0 to 99999999'))
    );
  }
  const time = await current.evaluateAs(state.Timestamp ?? null, '/Timestamp', isText, 'string');
  if (!isTimestamp(time))
    throw current.queryFailure(
      '/Timestamp',
      `The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: ${time}`,
      current.scope.history.last,
    );
  return Math.max(0, Date.parse(time) - current.scope.execution.clock.now());
}

/** Applies the first rule whose condition is true, with its Output and Assign, or Default with the state's own. */
async function choose(current: StateExecution, state: ChoiceState): Promise<Outcome> {
  for (const [index, rule] of state.Choices.entries()) {
    const location = `/Choices/${index}`;
    if (!(await current.evaluateAs(rule.Condition, `${location}/Condition`, isBoolean, 'boolean'))) continue;
    return { ...(await current.shape(rule, location, current.input)), next: rule.Next };
  }
  if (state.Default === undefined) {
    throw current.failure(
      'States.NoChoiceMatched',
      `No choice of the state '${current.name}' matched, and it has no Default`,
    );
  }
  return { ...(await current.shape(state, '', current.input)), next: state.Default };
}

async function fail(current: StateExecution, state: FailState): Promise<never> {
  const text = (value: string, field: string): Promise<string> =>
    current.evaluateAs(value, `/${field}`, isText, 'string');
  const error = state.Error === undefined ? undefined : await text(state.Error, 'Error');
  const cause = state.Cause === undefined ? undefined : await text(state.Cause, 'Cause');
  throw new StateError(error, cause);
}
