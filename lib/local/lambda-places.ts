/** How many functions run at once in the local cloud. */
import { availableParallelism, totalmem } from 'node:os';

/** Memory of one environment: a handler of ours with the AWS SDK, measured as 55 MB, and twice that while it decodes photos. */
const ENVIRONMENT_BYTES = 110e6;
/** The part of the machine's memory that environments may use; jobs need the rest. */
const MEMORY_PART = 1 / 4;
/** Environments that stay idle beside those in use: IDLE_ENVIRONMENTS of `repairs/environments.py`. */
const IDLE_ENVIRONMENTS = 8;
const MOST_PLACES = 8;

/**
 * The number of synchronous invocations that run at once, and of asynchronous ones; more wait. One for each core, at
 * least 2, and only as many as fit into a quarter of the memory.
 */
export function lambdaPlaces(cores = availableParallelism(), memory = usableMemory()): number {
  const environments = Math.floor((memory * MEMORY_PART) / ENVIRONMENT_BYTES);
  const fitting = Math.floor((environments - IDLE_ENVIRONMENTS) / 2);
  return Math.max(2, Math.min(cores, fitting, MOST_PLACES));
}

/** The memory of this machine, or of the container that this process is in. */
function usableMemory(): number {
  // Zero or an enormous number where nothing limits it.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
