import type { Block, MapState, ParallelState } from '../definition/types.ts';
import { Interruption } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Progress } from '../progress.ts';
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
  if (!scope.progress.branches) scope.history.record('ParallelStateStarted');
  const branches = state.Branches.map((block) => ({
    run: (child: Scope) => runBlock(block, branchInput, child),
  }));
  const outputs = await runConcurrently(scope, branches, branches.length);
  scope.history.recordAside('ParallelStateSucceeded');
  return outputs;
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
  if (!scope.progress.branches)
    scope.history.record('MapStateStarted', { mapStateStartedEventDetails: { length: items.length } });
  const iterations = selected.map(({ input, map }, index) => {
    const iteration = { name: current.name, index };
    const run = async (child: Scope): Promise<Json> => {
      if (!child.progress.at)
        child.history.record('MapIterationStarted', { mapIterationStartedEventDetails: iteration });
      const output = await runBlock(state.ItemProcessor, input, { ...child, map });
      child.history.recordAside('MapIterationSucceeded', { mapIterationSucceededEventDetails: iteration });
      return output;
    };
    return { run, iteration };
  });
  const most = Math.min(concurrency || MAX_CONCURRENCY, MAX_CONCURRENCY);
  const outputs = await runConcurrently(scope, iterations, most);
  scope.history.recordAside('MapStateSucceeded');
  return outputs;
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

/** One branch or iteration. */
interface Job {
  run(child: Scope): Promise<Json>;
  /** Name and index of a Map's iteration, for its events. */
  readonly iteration?: JsonObject;
}

/**
 * Runs jobs concurrently, each in its own scope. The first that fails stops the others, as in AWS: it cancels
 * their timers, tokens and further states. Lambda functions that are already running are not stopped.
 * After a redrive, jobs that had succeeded are not run again.
 */
async function runConcurrently(scope: Scope, jobs: readonly Job[], concurrency: number): Promise<Json[]> {
  const siblings = new AbortController();
  const signal = AbortSignal.any([scope.signal, siblings.signal]);
  const outputs: Json[] = [];
  let failed: { readonly child: Scope; readonly error: unknown } | undefined;
  const branches: Progress[] = scope.progress.branches ?? jobs.map(() => ({}));
  scope.progress.branches = branches;
  const waiting = [...jobs.entries()];
  const work = async (): Promise<void> => {
    let after = scope.history.last;
    for (let next = waiting.shift(); next && !signal.aborted; next = waiting.shift()) {
      const [index, { run, iteration }] = next;
      const progress = branches[index] ?? {};
      if (progress.output !== undefined) {
        outputs[index] = progress.output;
        continue;
      }
      const child = {
        execution: scope.execution,
        variables: new Variables(scope.variables),
        history: scope.history.fork(signal, iteration, after),
        progress,
        signal,
      };
      try {
        outputs[index] = await run(child);
        child.history.finish();
        // The next iteration of this worker follows this one.
        after = child.history.last;
      } catch (error) {
        failed ??= { child, error };
        siblings.abort(new Interruption('a sibling branch failed'));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, work));
  scope.signal.throwIfAborted();
  if (failed) {
    scope.history.abortBranches(failed.child.history);
    throw failed.error;
  }
  scope.history.join();
  return outputs;
}
