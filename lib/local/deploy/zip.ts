/** Creates zip archives of folders; the same files give the same bytes. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** The earliest time of a zip entry; the real one would change the archive at every checkout. */
const EPOCH = new Date(1980, 0, 1);

/** Zips the files of a folder in the order of their names, following links. Executable files stay executable. */
export async function zipFolder(folder: string): Promise<Buffer> {
  const zip = new ZipFile();
  for (const path of filesUnder(folder)) {
    const executable = (statSync(path).mode & 0o111) !== 0;
    zip.addBuffer(readFileSync(path), relative(folder, path).split(sep).join('/'), {
      mtime: EPOCH,
      mode: executable ? 0o100755 : 0o100644,
      forceDosTimestamp: true,
    });
  }
  zip.end();
  return await buffer(zip.outputStream);
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .flatMap((path) => (statSync(path).isDirectory() ? filesUnder(path) : [path]));
}
