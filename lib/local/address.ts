/** The address of a running local cloud, stored in its data folder for commands that only read. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { requireOwnFormat } from './data-folder.ts';
import { ownerOf } from './lock.ts';
import { readRecord } from './read-record.ts';

export interface CloudAddress {
  readonly environment: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

const FILE = 'cloud.json';
const strings = z.record(z.string(), z.string());
const schema = z.looseObject({ environment: strings, outputs: strings });

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
 * @throws DataFolderOutdated when that cloud is of another version, whose records this one cannot read;
 * LocalCloudFailed when the address is damaged
 */
export function readAddress(dataDir: string): CloudAddress | undefined {
  const file = join(dataDir, FILE);
  // A cloud that was killed leaves its file behind, but no longer owns the lock.
  const owner = ownerOf(dataDir);
  if (owner === undefined || !existsSync(file)) return undefined;
  requireOwnFormat(dataDir);
  return readRecord<CloudAddress>(file, schema, {
    what: 'The address of the running local cloud cannot be read',
    remedy: `end that cloud (process ${owner}) with Ctrl-C and start it again, which writes the address again`,
  });
}
