import { isTimestamp } from '../definition/state-shapes.ts';
import type { Block, ChoiceState, FailState, State, WaitState } from '../definition/types.ts';
import { StateError } from '../errors.ts';
import type { Json } from '../json.ts';
import { attemptMap, attemptParallel } from './branches.ts';
import { type Flow, type Outcome, pause } from './scope.ts';
import { guarded } from './retry-catch.ts';
import { attemptTask } from './task.ts';
import { isBoolean, isText, isWhole, Visit } from './state-execution.ts';

/** Every so many states the event loop gets a turn, so that a machine that circles cannot silence the API. */
const STATES_PER_TURN = 50;

/**
 * Runs the states of a block, from StartAt to one that ends.
 * @returns the last state's output
 * @throws StateError that no state caught, or Interruption
 */
export async function runBlock(block: Block, input: Json, flow: Flow): Promise<Json> {
  const { trail, run } = flow;
  let name = block.StartAt;
  let value = input;
  for (let count = 1; ; count++) {
    if (count % STATES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    flow.signal.throwIfAborted();
    const state = block.States[name];
    if (!state) throw new StateError('States.Runtime', `There is no state '${name}'`);
    const visit = new Visit(flow, name, state, value);
    trail.record(`${state.Type}StateEntered`, {
      stateEnteredEventDetails: { name, input: JSON.stringify(value), inputDetails: { truncated: false } },
    });
    run.checkpoint();
    const { output, assigned, next } = await runState(visit, state);
    flow.signal.throwIfAborted();
    flow.variables.assign(assigned);
    const variables = Object.entries(assigned).map(([key, item]) => [key, JSON.stringify(item)]);
    trail.record(`${state.Type}StateExited`, {
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
    if (next === undefined) return output;
    name = next;
    value = output;
  }
}

async function runState(visit: Visit, state: State): Promise<Outcome> {
  switch (state.Type) {
    case 'Task':
      return guarded(visit, state, (retryCount) => attemptTask(visit, state, retryCount));
    case 'Parallel':
      return guarded(visit, state, (retryCount) => attemptParallel(visit, state, runBlock, retryCount));
    case 'Map':
      return guarded(visit, state, (retryCount) => attemptMap(visit, state, runBlock, retryCount));
    case 'Pass':
      return { ...(await visit.shape(state, '', visit.input)), next: state.Next };
    case 'Wait':
      await pause(visit.flow, await waitTime(visit, state));
      return { ...(await visit.shape(state, '', visit.input)), next: state.Next };
    case 'Choice':
      return choose(visit, state);
    case 'Succeed':
      return { ...(await visit.shape(state, '', visit.input)), next: undefined };
    case 'Fail':
      return fail(visit, state);
  }
}

async function waitTime(visit: Visit, state: WaitState): Promise<number> {
  if (state.Seconds !== undefined) {
    return (
      1000 *
      (await visit.evaluateAs(
        state.Seconds,
        '/Seconds',
        isWhole(0, 99_999_999),
        'a whole number from 0 to 99999999',
      ))
    );
  }
  const isTime = (value: Json): value is string => isText(value) && isTimestamp(value);
  const time = await visit.evaluateAs(
    state.Timestamp ?? null,
    '/Timestamp',
    isTime,
    'a timestamp like 2026-01-31T12:00:00Z',
  );
  return Math.max(0, Date.parse(time) - visit.flow.run.clock.now());
}

/** The first rule whose condition holds, with its own Output and Assign; the state's own go with Default. */
async function choose(visit: Visit, state: ChoiceState): Promise<Outcome> {
  for (const [index, rule] of state.Choices.entries()) {
    const location = `/Choices/${index}`;
    if (!(await visit.evaluateAs(rule.Condition, `${location}/Condition`, isBoolean, 'true or false')))
      continue;
    return { ...(await visit.shape(rule, location, visit.input)), next: rule.Next };
  }
  if (state.Default === undefined) {
    throw new StateError(
      'States.NoChoiceMatched',
      `No choice of the state '${visit.name}' matched, and it has no Default`,
    );
  }
  return { ...(await visit.shape(state, '', visit.input)), next: state.Default };
}

async function fail(visit: Visit, state: FailState): Promise<never> {
  const text = (value: string, field: string): Promise<string> =>
    visit.evaluateAs(value, `/${field}`, isText, 'a string');
  const error = state.Error === undefined ? '' : await text(state.Error, 'Error');
  const cause = state.Cause === undefined ? undefined : await text(state.Cause, 'Cause');
  throw new StateError(error, cause);
}
