/** Some work at once, and none any more once one of it has failed. */

/**
 * Does `work` for every item, so many at a time, and waits for all that was begun.
 * @param work - is given a signal that ends with `signal`, and as soon as the work for another item fails
 * @throws what failed first; the signal's reason once it is aborted
 */
export async function inTurns<T>(
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
  // The first reason stays; those who end for its sake end without one of their own.
  const workers = Array.from({ length: atOnce }, () => worker().catch((error) => halt.abort(error)));
  await Promise.all(workers);
  either.throwIfAborted();
}
