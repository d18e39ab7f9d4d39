/** A folder that a command writes for the user, at a path of their choice. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';

/**
 * Refuses a folder that holds something else, before anything is generated for it: no file of the user's is overwritten.
 *
 * @param record - the JSON file that says in `id` what the folder holds
 * @throws UsageInvalid
 */
export function requireOwnFolder(folder: string, record: string, id: string): void {
  const holds = existsSync(folder) ? ownerOf(folder, record) : undefined;
  if (holds === undefined || holds === id) return;
  throw new ProxytuneError('UsageInvalid', {
    what: 'The folder holds something else',
    given: `${folder} (${holds})`,
    allowed: 'a new or empty folder, or the one that holds the same already',
    remedy: 'choose another with --out, or omit --out',
  });
}

/** Reads the id in a folder's record. Without a record, describes the content; undefined for an empty folder. */
function ownerOf(folder: string, record: string): string | undefined {
  try {
    if (readdirSync(folder).length === 0) return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? 'it is a file' : (error as Error).message;
  }
  try {
    return String(JSON.parse(readFileSync(join(folder, record), 'utf8')).id);
  } catch {
    return 'other files';
  }
}
