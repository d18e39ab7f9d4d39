/** The folder for everything that lasts: made when missing, and taken for one local cloud. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';
import { lockFolder } from './lock.ts';

/**
 * @returns a function that gives the folder back
 * @throws RunActive when another local cloud uses it; LocalCloudFailed when it cannot be written to
 */
export function openDataFolder(folder: string): () => void {
  try {
    makeFolder(join(folder, 'emulator'));
    return lockFolder(folder);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // A full disk has a name of its own.
    if (cause instanceof ProxytuneError || code === undefined || code === 'ENOSPC') throw cause;
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The data folder cannot be used',
      given: message,
      allowed: 'a folder that you may write to, or a path where one can be made',
      remedy: 'choose another one with --data',
      cause,
    });
  }
}

/** Not mkdir's own recursion, which never ends where folders cannot be made, as below /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}
