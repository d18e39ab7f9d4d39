/** The address of a running local cloud, stored in its data folder for commands that only read. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireOwnFormat } from './data-folder.ts';
import { ownerOf } from './lock.ts';

export interface CloudAddress {
  readonly environment: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

const FILE = 'cloud.json';

/** Writes the address. @returns a function that deletes it */
export function writeAddress(dataDir: string, { environment, outputs }: CloudAddress): () => void {
  const file = join(dataDir, FILE);
  // Renamed into place, so that a reader never sees half a file.
  writeFileSync(`${file}.new`, JSON.stringify({ environment, outputs }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return () => rmSync(file, { force: true });
}

/**
 * Reads the address of the cloud that uses the folder; undefined if none does, or if it is not ready yet.
 * @throws DataFolderOutdated when that cloud is of another version, whose records this one cannot read
 */
export function readAddress(dataDir: string): CloudAddress | undefined {
  const file = join(dataDir, FILE);
  // A cloud that was killed leaves its file behind, but no longer owns the lock.
  if (ownerOf(dataDir) === undefined || !existsSync(file)) return undefined;
  requireOwnFormat(dataDir);
  return JSON.parse(readFileSync(file, 'utf8')) as CloudAddress;
}
