/** One local cloud at a time uses a data folder: two would overwrite each other's objects. */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';

/**
 * Takes the folder until the returned function is called or this process ends.
 * @throws RunActive when a living process holds it
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'lock');
  if (!take(file)) {
    const holder = Number(readFileSync(file, 'utf8'));
    if (isAlive(holder)) throw taken(folder, holder);
    // Its owner was killed without a chance to tidy up.
    rmSync(file, { force: true });
    if (!take(file)) throw taken(folder, holder);
  }
  return () => rmSync(file, { force: true });
}

/** The living process that holds the folder, if one does. */
export function holderOf(folder: string): number | undefined {
  const file = join(folder, 'lock');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return isAlive(pid) ? pid : undefined;
}

function take(file: string): boolean {
  try {
    const handle = openSync(file, 'wx');
    writeSync(handle, String(process.pid));
    closeSync(handle);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function taken(folder: string, holder: number): ProxytuneError {
  return new ProxytuneError('RunActive', {
    what: 'Another local cloud is using this data folder',
    given: `${folder}, process ${holder}`,
    remedy: 'wait until it is done, end it with Ctrl-C, or choose another folder with --data',
  });
}
