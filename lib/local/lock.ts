/** Locks a data folder for one local cloud: two would overwrite each other's objects. */
import { spawnSync } from 'node:child_process';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';

/**
 * Locks the folder until the returned function is called or this process ends.
 * @throws RunActive if a running process has locked it
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'lock');
  if (!acquire(file)) {
    const owner = ownerOf(folder);
    if (owner !== undefined) throw inUse(folder, `process ${owner}`);
    // Its owner was killed and could not clean up.
    rmSync(file, { force: true, recursive: true });
    if (!acquire(file)) throw inUse(folder, 'locked at this moment');
  }
  return () => rmSync(file, { force: true });
}

/** The running process that has locked the folder, if any. */
export function ownerOf(folder: string): number | undefined {
  const [pid = '', started = ''] = (readText(join(folder, 'lock')) ?? '').split(' ');
  const owner = Number(pid);
  return isAlive(owner) && startOf(owner) === started ? owner : undefined;
}

/** Creates the lock file atomically, because an empty one would have no owner. */
function acquire(file: string): boolean {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${process.pid} ${startOf(process.pid)}`, { mode: 0o600 });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
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

/**
 * The start time of a process in the system's format, because process ids are reused, in a restarted container soon.
 * Empty if unknown.
 */
function startOf(pid: number): string {
  const stat = readText(`/proc/${pid}/stat`);
  // The program's name, in brackets, may contain spaces; the start time is the 20th field after it.
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return (stdout ?? '').trim().replaceAll(/\s+/g, '-');
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function inUse(folder: string, owner: string): ProxytuneError {
  return new ProxytuneError('RunActive', {
    what: 'Another local cloud is using this data folder',
    given: `${folder}, ${owner}`,
    remedy: 'wait until it ends, end it with Ctrl-C, or choose another folder with --data',
  });
}
