/** A folder of pictures on this disk: the files, what they are, and a page that shows them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProxytuneError } from '../../core/errors.ts';
import type { Picture } from './shard.ts';

/** A description of the images; its presence says which generation owns the folder. */
const RECORD = 'generation.json';

/**
 * Refuses a folder that holds something else, before anything is drawn for it: no file of the user's is overwritten.
 * @throws UsageInvalid
 */
export function requireOwnFolder(folder: string, id: string): void {
  const holds = existsSync(folder) ? ownerOf(folder) : undefined;
  if (holds === undefined || holds === id) return;
  throw new ProxytuneError('UsageInvalid', {
    what: 'The folder holds something else',
    given: `${folder} (${holds})`,
    allowed: 'a new or empty folder, or the one that holds these images already',
    remedy: 'choose another with --out, or omit --out',
  });
}

/** The generation that owns a folder, else a description of what it holds, or undefined for an empty one. */
function ownerOf(folder: string): string | undefined {
  try {
    if (readdirSync(folder).length === 0) return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? 'it is a file' : (error as Error).message;
  }
  try {
    return String(JSON.parse(readFileSync(join(folder, RECORD), 'utf8')).id);
  } catch {
    return 'other files';
  }
}

/** A picture's name in its folder. */
export const fileOf = ({ record }: Picture): string => `seed-${record.seed}.png`;

/**
 * Writes the folder.
 * @param page - the text of its index.html
 * @returns the pictures' paths, in order
 */
export async function writePictures(
  folder: string,
  record: Readonly<Record<string, unknown>>,
  pictures: readonly Picture[],
  page: string,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  // First of all, so that a call that was cut off finds its folder again.
  await put(join(folder, RECORD), `${JSON.stringify(record, null, 2)}\n`);
  const files: string[] = [];
  for (const picture of pictures) {
    const file = join(folder, fileOf(picture));
    await put(file, picture.png);
    files.push(file);
  }
  await put(join(folder, 'index.html'), page);
  return files;
}

/** Writes a file atomically, so that nobody reads half of it. */
async function put(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${file}.incoming`, content);
  await rename(`${file}.incoming`, file);
}
