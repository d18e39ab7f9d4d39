/** Where a running local cloud is reached, left in its data folder for commands that only want to look. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holderOf } from './lock.ts';

export interface CloudAddress {
  readonly environment: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

const FILE = 'cloud.json';

/** Leaves the address. @returns a function that takes it away again */
export function leaveAddress(dataDir: string, { environment, outputs }: CloudAddress): () => void {
  const file = join(dataDir, FILE);
  // Renamed into place: whoever looks at this moment finds all of it or nothing.
  writeFileSync(`${file}.new`, JSON.stringify({ environment, outputs }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return () => rmSync(file, { force: true });
}

/** The address of the cloud that holds the folder now; undefined when none does, or none is ready yet. */
export function addressOf(dataDir: string): CloudAddress | undefined {
  const file = join(dataDir, FILE);
  // A cloud that was killed left its file behind, but nobody holds its folder.
  if (holderOf(dataDir) === undefined || !existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')) as CloudAddress;
}
