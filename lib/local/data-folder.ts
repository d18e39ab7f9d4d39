/** The folder for persistent data: created if it is missing, and locked for one local cloud. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';
import { lockFolder } from './lock.ts';

/**
 * Opens the folder.
 *
 * @returns a function that releases the folder
 * @throws RunActive if another local cloud uses it; LocalCloudFailed if it is not writable
 */
export function openDataFolder(folder: string): () => void {
  try {
    createFolder(join(folder, 'emulator'));
    return lockFolder(folder);
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
 * Creates a folder with its parents. The recursion of mkdir never ends where folders cannot be created, as below
 * /proc.
 */
function createFolder(folder: string): void {
  if (existsSync(folder)) return;
  createFolder(dirname(folder));
  mkdirSync(folder);
}
