import type { Block, MapState, ParallelState } from '../definition/types.ts';
import { Interruption } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { type Flow, Variables } from './scope.ts';
import { isList, isWhole, type Visit } from './state-execution.ts';

/** Runs a block to its end and gives its output; handed in, because blocks and states hold one another. */
export type RunBlock = (block: Block, input: Json, flow: Flow) => Promise<Json>;

/** An inline Map runs at most this many iterations at once (Step Functions quota). */
const MAX_CONCURRENCY = 40;

/** All branches at once, each on the same input. The result lists their outputs in the order of definition. */
export async function attemptParallel(
  visit: Visit,
  state: ParallelState,
  runBlock: RunBlock,
  retryCount: number,
): Promise<Json> {
  const { flow, input } = visit;
  const branchInput =
    state.Arguments === undefined
      ? input
      : await visit.evaluate(state.Arguments, '/Arguments', { retryCount });
  flow.trail.record('ParallelStateStarted');
  const branches = state.Branches.map((block) => (child: Flow) => runBlock(block, branchInput, child));
  return noteEnd(flow, 'Parallel', () => together(flow, branches, branches.length));
}

/** The processor once for every item. The result lists the outputs in the order of the items. */
export async function attemptMap(
  visit: Visit,
  state: MapState,
  runBlock: RunBlock,
  retryCount: number,
): Promise<Json> {
  const { flow } = visit;
  const extra = { retryCount };
  const items = await visit.evaluateAs(state.Items ?? visit.input, '/Items', isList, 'an array', extra);
  const atOnce = await visit.evaluateAs(
    state.MaxConcurrency ?? 0,
    '/MaxConcurrency',
    isWhole(0, 99_999_999),
    'a whole number from 0 on',
    extra,
  );
  const selected: { input: Json; map: JsonObject }[] = [];
  for (const [index, item] of items.entries()) {
    const map = { Item: { Index: index, Value: item } };
    const input =
      state.ItemSelector === undefined
        ? item
        : await visit.evaluate(state.ItemSelector, '/ItemSelector', { ...extra, map });
    selected.push({ input, map });
  }
  flow.trail.record('MapStateStarted', { mapStateStartedEventDetails: { length: items.length } });
  const iterations = selected.map(
    ({ input, map }, index) =>
      (child: Flow) =>
        iterate(visit.name, index, { ...child, map }, () =>
          runBlock(state.ItemProcessor, input, { ...child, map }),
        ),
  );
  return noteEnd(flow, 'Map', () =>
    together(flow, iterations, Math.min(atOnce || MAX_CONCURRENCY, MAX_CONCURRENCY)),
  );
}

async function iterate(name: string, index: number, flow: Flow, run: () => Promise<Json>): Promise<Json> {
  const details = { name, index };
  flow.trail.record('MapIterationStarted', { mapIterationStartedEventDetails: details });
  try {
    const output = await run();
    flow.trail.record('MapIterationSucceeded', { mapIterationSucceededEventDetails: details });
    return output;
  } catch (error) {
    // An interrupted iteration cannot record any more: its trail throws the interruption again.
    if (!(error instanceof Interruption))
      flow.trail.record('MapIterationFailed', { mapIterationFailedEventDetails: details });
    throw error;
  }
}

async function noteEnd(flow: Flow, type: 'Parallel' | 'Map', run: () => Promise<Json>): Promise<Json> {
  try {
    const outputs = await run();
    flow.trail.join();
    flow.trail.record(`${type}StateSucceeded`);
    return outputs;
  } catch (error) {
    flow.trail.join();
    flow.trail.record(`${type}StateFailed`);
    throw error;
  }
}

/**
 * Runs flows side by side. The first that fails stops the others, as in AWS: their timers, tokens and
 * further states are void at once. What a Lambda function is doing already, it does to its end.
 */
async function together(
  flow: Flow,
  jobs: readonly ((child: Flow) => Promise<Json>)[],
  atOnce: number,
): Promise<Json[]> {
  const siblings = new AbortController();
  const signal = AbortSignal.any([flow.signal, siblings.signal]);
  const outputs: Json[] = [];
  const failures: unknown[] = [];
  const waiting = [...jobs.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !signal.aborted; next = waiting.shift()) {
      const [index, job] = next;
      try {
        outputs[index] = await job({
          run: flow.run,
          variables: new Variables(flow.variables),
          trail: flow.trail.fork(signal),
          signal,
        });
      } catch (error) {
        failures.push(error);
        siblings.abort(new Interruption('a sibling branch failed'));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, jobs.length) }, work));
  flow.signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  return outputs;
}
