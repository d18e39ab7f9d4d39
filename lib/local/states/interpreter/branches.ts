import type { Block, MapState, ParallelState } from '../definition/types.ts';
import { Interruption } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { type Scope, Variables } from './scope.ts';
import { type Extra, isInteger, isList, type StateExecution } from './state-execution.ts';

/** Runs a block to its end and returns its output; a parameter, because blocks and states are mutually recursive. */
export type RunBlock = (block: Block, input: Json, scope: Scope) => Promise<Json>;

/** The most iterations that an inline Map runs at once (Step Functions quota). */
const MAX_CONCURRENCY = 40;

/** Runs all branches at once, each with the same input. Returns their outputs in the order of the definition. */
export async function attemptParallel(
  current: StateExecution,
  state: ParallelState,
  runBlock: RunBlock,
  retryCount: number,
): Promise<Json> {
  const { scope, input } = current;
  const branchInput =
    state.Arguments === undefined
      ? input
      : await current.evaluate(state.Arguments, '/Arguments', { retryCount });
  scope.history.record('ParallelStateStarted');
  const branches = state.Branches.map((block) => (child: Scope) => runBlock(block, branchInput, child));
  return recordEnd(scope, 'Parallel', () => runConcurrently(scope, branches, branches.length));
}

/** Runs the processor once for every item. Returns the outputs in the order of the items. */
export async function attemptMap(
  current: StateExecution,
  state: MapState,
  runBlock: RunBlock,
  retryCount: number,
): Promise<Json> {
  const { scope } = current;
  const extra = { retryCount };
  const items = await itemsOf(current, state, extra);
  const concurrency = await current.evaluateAs(
    state.MaxConcurrency ?? 0,
    '/MaxConcurrency',
    isInteger(0, 99_999_999),
    'integer from 0 to 99999999',
    extra,
  );
  const selected: { input: Json; map: JsonObject }[] = [];
  for (const [index, item] of items.entries()) {
    const map = { Item: { Index: index, Value: item } };
    const input =
      state.ItemSelector === undefined
        ? item
        : await current.evaluate(state.ItemSelector, '/ItemSelector', { ...extra, map });
    selected.push({ input, map });
  }
  scope.history.record('MapStateStarted', { mapStateStartedEventDetails: { length: items.length } });
  const iterations = selected.map(
    ({ input, map }, index) =>
      (child: Scope) =>
        iterate(current.name, index, { ...child, map }, () =>
          runBlock(state.ItemProcessor, input, { ...child, map }),
        ),
  );
  return recordEnd(scope, 'Map', () =>
    runConcurrently(scope, iterations, Math.min(concurrency || MAX_CONCURRENCY, MAX_CONCURRENCY)),
  );
}

/** The items of a Map: its field Items, or its input, which is not an expression even if it looks like one. */
async function itemsOf(current: StateExecution, state: MapState, extra: Extra): Promise<Json[]> {
  if (state.Items !== undefined) return current.evaluateAs(state.Items, '/Items', isList, 'array', extra);
  if (isList(current.input)) return current.input;
  throw current.queryFailure(
    undefined,
    `Map state input must be an array but was: ${JSON.stringify(current.input)}`,
  );
}

async function iterate(name: string, index: number, scope: Scope, run: () => Promise<Json>): Promise<Json> {
  const details = { name, index };
  scope.history.record('MapIterationStarted', { mapIterationStartedEventDetails: details });
  try {
    const output = await run();
    scope.history.record('MapIterationSucceeded', { mapIterationSucceededEventDetails: details });
    return output;
  } catch (error) {
    // An interrupted iteration cannot record: the history writer would throw the interruption again.
    if (!(error instanceof Interruption))
      scope.history.record('MapIterationFailed', { mapIterationFailedEventDetails: details });
    throw error;
  }
}

async function recordEnd(scope: Scope, type: 'Parallel' | 'Map', run: () => Promise<Json>): Promise<Json> {
  try {
    const outputs = await run();
    scope.history.join();
    scope.history.record(`${type}StateSucceeded`);
    return outputs;
  } catch (error) {
    scope.history.join();
    scope.history.record(`${type}StateFailed`);
    throw error;
  }
}

/**
 * Runs jobs concurrently, each in its own scope. The first that fails stops the others, as in AWS: it cancels
 * their timers, tokens and further states. Lambda functions that are already running are not stopped.
 */
async function runConcurrently(
  scope: Scope,
  jobs: readonly ((child: Scope) => Promise<Json>)[],
  concurrency: number,
): Promise<Json[]> {
  const siblings = new AbortController();
  const signal = AbortSignal.any([scope.signal, siblings.signal]);
  const outputs: Json[] = [];
  const failures: unknown[] = [];
  const waiting = [...jobs.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !signal.aborted; next = waiting.shift()) {
      const [index, job] = next;
      try {
        outputs[index] = await job({
          execution: scope.execution,
          variables: new Variables(scope.variables),
          history: scope.history.fork(signal),
          signal,
        });
      } catch (error) {
        failures.push(error);
        siblings.abort(new Interruption('a sibling branch failed'));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, work));
  scope.signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  return outputs;
}
