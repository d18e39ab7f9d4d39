/** Concurrent work with a limit, which ends at the first failure. */

/**
 * Does `work` for every item, so many at a time, and waits for all that has started.
 * @param work - gets a signal that aborts with `signal`, and as soon as the work for another item fails
 * @throws the first failure; the signal's reason once it is aborted
 */
export async function forEachLimited<T>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const halt = new AbortController();
  const either = AbortSignal.any(signal === undefined ? [halt.signal] : [halt.signal, signal]);
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) {
      either.throwIfAborted();
      await work(item, either);
    }
  };
  // The first reason stays; the others end because of it.
  const workers = Array.from({ length: atOnce }, () => worker().catch((error) => halt.abort(error)));
  await Promise.all(workers);
  either.throwIfAborted();
}
