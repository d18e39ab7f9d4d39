/** The folder for persistent data: created if it is missing, of one format, and locked for one local cloud. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';
import { lockFolder } from './lock.ts';

/**
 * Format of what the local cloud keeps: table, bucket, jobs and executions. Raise it with every change to their records
 * or keys; there is no migration. Folders without a format file are older than the first one.
 */
export const FORMAT = '4';
const FORMAT_FILE = 'format';
/** The services' own folders. Others, such as `models` and `runs`, may exist before a local cloud ever starts. */
const SERVICES = ['emulator', 'sagemaker', 'states'];

/**
 * Opens the folder.
 *
 * @returns a function that releases the folder
 * @throws RunActive if another local cloud uses it; DataFolderOutdated if another version has written it;
 * LocalCloudFailed if it is not writable
 */
export function openDataFolder(folder: string): () => void {
  try {
    createFolder(folder);
    const release = lockFolder(folder);
    try {
      requireFormat(folder);
      createFolder(join(folder, 'emulator'));
      emptyTemporaryFolder(folder);
    } catch (error) {
      release();
      throw error;
    }
    return release;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // A full disk has its own error.
    if (cause instanceof ProxytuneError || code === undefined || code === 'ENOSPC') throw cause;
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The data folder cannot be used',
      given: message,
      allowed: 'a writable folder, or a path where one can be created',
      remedy: 'choose another folder with --data',
      cause,
    });
  }
}

/**
 * The folder for temporary files of programs that the local cloud starts. Nothing of it lies in the system's, where other
 * users could foresee a name and put their own file there.
 */
export function temporaryFolder(folder: string): string {
  return resolve(folder, 'tmp');
}

/** Removes what an earlier process left in the folder for temporary files. */
export function emptyTemporaryFolder(folder: string): void {
  rmSync(temporaryFolder(folder), { recursive: true, force: true });
  mkdirSync(temporaryFolder(folder), { mode: 0o700 });
}

/**
 * Creates a folder with its parents. The recursion of mkdir never ends where folders cannot be created, as below
 * /proc.
 */
function createFolder(folder: string): void {
  if (existsSync(folder)) return;
  createFolder(dirname(folder));
  mkdirSync(folder);
}

/** Below this, functions and services fail to write, each in its own way. */
const LEAST_FREE_BYTES = 10e6;

/** Names the cause of a fault that a full disk may have had. @throws OutOfDisk when next to nothing is free */
export function requireSpace(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= LEAST_FREE_BYTES) return;
  throw new ProxytuneError('OutOfDisk', {
    what: 'The disk of the data folder is full',
    given: `${folder}, with ${Math.round((bavail * bsize) / 1e6)} MB free`,
    allowed: 'about 400 MB for a run',
    remedy:
      'free some space, or choose a folder on another disk with --data, then run the command again; what was not saved is created again',
  });
}

/** Writes the format of a folder that no local cloud has used yet. @throws DataFolderOutdated */
function requireFormat(folder: string): void {
  const format = formatOf(folder);
  if (format === undefined && !SERVICES.some((name) => hasEntries(join(folder, name)))) {
    writeFileSync(join(folder, FORMAT_FILE), `${FORMAT}\n`);
    return;
  }
  requireOwnFormat(folder, format);
}

/** @throws DataFolderOutdated when the folder is of another format than this version's */
export function requireOwnFormat(folder: string, format = formatOf(folder)): void {
  if (format === FORMAT) return;
  throw new ProxytuneError('DataFolderOutdated', {
    what: 'Another version of the local cloud has written this data folder',
    given: `${folder}, ${format === undefined ? 'without a format' : `of format ${format}`}`,
    allowed: `a new folder, or one of format ${FORMAT}`,
    remedy: 'choose another folder with --data, or remove this one if its runs are no longer needed',
  });
}

/** The format of a folder, fit to be printed; undefined without one. */
function formatOf(folder: string): string | undefined {
  const file = join(folder, FORMAT_FILE);
  if (!existsSync(file)) return undefined;
  const format = statSync(file).isFile() ? readFileSync(file, 'utf8').trim() : '';
  // Whatever else is in the file was not written by us.
  return /^\d{1,9}$/.test(format) ? format : 'unknown';
}

function hasEntries(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).length > 0;
}
