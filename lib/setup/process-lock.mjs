/**
 * A lock that ends with its process and is taken over atomically. Plain JavaScript without packages, because the
 * set-up uses it before there are any. Node has no lock of the operating system.
 *
 * The lock is a folder of files whose names are numbers. Each contains the id of a process and when it started; the
 * highest number counts. To take a lock over, a process creates the next number, which only one can do. The highest
 * number is never deleted, only emptied, so that nobody can create a number again that somebody else has just had.
 */
import { spawnSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** The largest number of 15 digits, which JavaScript's numbers and the pattern of names can hold. */
const LARGEST = 999_999_999_999_999;

/**
 * Takes the lock, without waiting.
 *
 * @param {string} folder - the lock's own folder, created if it is missing
 * @returns {(() => void) | undefined} releases the lock; undefined if a running process has it
 */
export function tryLock(folder) {
  if (ownerOfFile(folder) !== undefined) return undefined;
  removeFile(folder);
  for (;;) {
    // In the loop, because somebody may delete the folder at any time.
    mkdirSync(folder, { recursive: true });
    const newest = newestOf(folder);
    if (newest > 0 && ownerOfFile(join(folder, String(newest))) !== undefined) return undefined;
    if (newest >= LARGEST) {
      // No process counts this far, so the file is not from this program, and numbers can start again.
      rmSync(join(folder, String(newest)), { force: true, recursive: true });
      continue;
    }
    const own = join(folder, String(newest + 1));
    if (!create(own)) continue;
    // Others may have taken and released the lock since its numbers were read.
    if (newestOf(folder) === newest + 1) {
      removeOthers(folder, String(newest + 1));
      return () => release(own);
    }
    rmSync(own, { force: true });
  }
}

/**
 * @param {string} folder - the lock's own folder
 * @returns {number | undefined} the running process that has the lock
 */
export function lockOwner(folder) {
  const newest = newestOf(folder);
  // A lock of an earlier version is one file.
  return ownerOfFile(newest > 0 ? join(folder, String(newest)) : folder);
}

/** @param {string} folder */
function newestOf(folder) {
  return Math.max(
    0,
    ...entriesOf(folder)
      .filter((name) => /^\d{1,15}$/.test(name))
      .map(Number),
  );
}

/** @param {string} folder */
function entriesOf(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/**
 * Creates a number with its content at once, because an empty one has no owner.
 *
 * @param {string} file
 * @returns {boolean} false if another process was first
 */
function create(file) {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, `${process.pid} ${startOf(process.pid)}`, { mode: 0o600 });
    linkSync(draft, file);
    return true;
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    // Without the draft: the new owner has cleaned up.
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * @param {string} folder
 * @param {string} own
 */
function removeOthers(folder, own) {
  for (const name of entriesOf(folder))
    if (name !== own) rmSync(join(folder, name), { force: true, recursive: true });
}

/** @param {string} own */
function release(own) {
  try {
    truncateSync(own);
  } catch (error) {
    // The whole folder may have been removed.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
  }
}

/**
 * Removes a lock of an earlier version, which is a file.
 *
 * @param {string} path
 */
function removeFile(path) {
  try {
    if (!lstatSync(path).isDirectory()) unlinkSync(path);
  } catch {
    // There is none, or another process has just replaced it.
  }
}

/** @param {string} file */
function ownerOfFile(file) {
  const [pid = '', started] = (readText(file) ?? '').split(' ');
  const owner = Number(pid);
  if (!isAlive(owner) || isZombie(owner)) return undefined;
  return started === undefined || startOf(owner) === started ? owner : undefined;
}

/** @param {number} pid */
function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Tells a process that has ended and still has its id, because its parent has not read its exit code. In a container
 * whose first process reads none, a killed one stays like this.
 *
 * @param {number} pid
 */
function isZombie(pid) {
  const state = statOf(pid)?.[0] ?? printed(pid, 'stat');
  return state.startsWith('Z') || state.startsWith('X');
}

/**
 * The start time of a process in the system's format, because process ids are reused, in a restarted container soon.
 * Empty if unknown.
 *
 * @param {number} pid
 */
function startOf(pid) {
  const stat = statOf(pid);
  return stat === undefined ? printed(pid, 'lstart').replaceAll(/\s+/g, '-') : (stat[19] ?? '');
}

/**
 * The fields of a process in `/proc`, from its state on; the start time is the 20th of them. Undefined where there is
 * no such file.
 *
 * @param {number} pid
 */
function statOf(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  // The program's name, in brackets, may contain spaces.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/**
 * A column of `ps`; empty if unknown.
 *
 * @param {number} pid
 * @param {string} column
 */
function printed(pid, column) {
  const { stdout } = spawnSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' });
  return (stdout ?? '').trim();
}

/** @param {string} file */
function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
