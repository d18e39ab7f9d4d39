/** How many functions run at once in the local cloud. */
import { availableParallelism, totalmem } from 'node:os';

/** Resident memory of one environment, measured: 95 to 120 MB; one that has decoded photos keeps 240 MB. */
const ENVIRONMENT_BYTES = 130e6;
/** The part of the machine's memory that environments may use; jobs need the rest. */
const MEMORY_PART = 1 / 4;
/** Idle environments that are kept in addition to those in use: IDLE_ENVIRONMENTS of `repairs/environments.py`. */
export const IDLE_ENVIRONMENTS = 4;
/** More would let a burst need 3 GB, with the jobs and the emulator. */
const MOST_PLACES = 4;

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
