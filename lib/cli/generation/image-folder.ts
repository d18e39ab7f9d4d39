/** A folder of pictures on this disk: the files, what they are, and a page that shows them. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Picture } from './shard.ts';

/** A description of the images; its presence says which generation owns the folder. */
export const RECORD = 'generation.json';

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
