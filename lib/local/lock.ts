/** Locks a data folder for one local cloud: two would overwrite each other's objects. */
import { join } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';
import { lockOwner, tryLock } from '../setup/process-lock.mjs';

/**
 * Locks the folder until the returned function is called or this process ends.
 * @throws RunActive if a running process has locked it
 */
export function lockFolder(folder: string): () => void {
  const release = tryLock(join(folder, 'lock'));
  if (release === undefined) throw inUse(folder);
  return release;
}

/** The other running process that has locked the folder, if any. */
export function ownerOf(folder: string): number | undefined {
  const owner = lockOwner(join(folder, 'lock'));
  return owner === process.pid ? undefined : owner;
}

function inUse(folder: string): ProxytuneError {
  const owner = lockOwner(join(folder, 'lock'));
  return new ProxytuneError('RunActive', {
    what: 'Another local cloud is using this data folder',
    given: `${folder}, ${owner === undefined ? 'locked at this moment' : `process ${owner}`}`,
    remedy: 'wait until it ends, end it with Ctrl-C, or choose another folder with --data',
  });
}
