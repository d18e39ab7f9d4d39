/** One local cloud at a time uses a data folder: two would overwrite each other's objects. */
import { spawnSync } from 'node:child_process';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';

/**
 * Takes the folder until the returned function is called or this process ends.
 * @throws RunActive when a living process holds it
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'lock');
  if (!take(file)) {
    const holder = holderOf(folder);
    if (holder !== undefined) throw taken(folder, `process ${holder}`);
    // Its owner was killed without a chance to tidy up.
    rmSync(file, { force: true, recursive: true });
    if (!take(file)) throw taken(folder, 'taken at this very moment');
  }
  return () => rmSync(file, { force: true });
}

/** The living process that holds the folder, if one does. */
export function holderOf(folder: string): number | undefined {
  const [pid = '', started = ''] = (readText(join(folder, 'lock')) ?? '').split(' ');
  const holder = Number(pid);
  return isAlive(holder) && startOf(holder) === started ? holder : undefined;
}

/** The lock appears whole: an empty one would look as if it belonged to nobody. */
function take(file: string): boolean {
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
 * When a process started, in the system's own words: numbers of processes come round again, and in a container that is
 * started anew the same one soon. Empty where nobody tells.
 */
function startOf(pid: number): string {
  const stat = readText(`/proc/${pid}/stat`);
  // The program's name, in brackets, may hold spaces; the start is the 20th field after it.
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

function taken(folder: string, holder: string): ProxytuneError {
  return new ProxytuneError('RunActive', {
    what: 'Another local cloud is using this data folder',
    given: `${folder}, ${holder}`,
    remedy: 'wait until it is done, end it with Ctrl-C, or choose another folder with --data',
  });
}
