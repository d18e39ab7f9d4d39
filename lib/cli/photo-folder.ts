/** A folder of photos on disk, as `check` judges it and `run` uploads it: both must mean the same files. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';
import type { PhotoSource } from '../inspection/inspect.ts';

/** Every file below a folder, as the lambda finds every object below a prefix. */
export async function folderSources(dir: string): Promise<PhotoSource[]> {
  const sources: PhotoSource[] = [];
  for (const file of await filesBelow(dir)) {
    const path = join(dir, file);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined && !facts.isFile()) continue;
    sources.push({ file, bytes: facts?.size ?? 0, read: () => readPhoto(path) });
  }
  return sources;
}

/** Not those in hidden folders: a repository's insides would only bury the photos' verdicts. */
async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    throw new ProxytuneError('FolderMissing', {
      what: `There is no folder ${dir} that can be read`,
      given: error instanceof Error ? error.message : String(error),
      allowed: 'a folder with photos of the subject',
      remedy: 'check the path',
      cause: error,
    });
  });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter(
      (file) =>
        !file
          .split('/')
          .slice(0, -1)
          .some((folder) => folder.startsWith('.')),
    );
}

/** What the system refuses to read is a finding like any other: the other photos are still looked at. */
async function readPhoto(path: string): Promise<Uint8Array | { unreadable: string }> {
  try {
    return await readFile(path);
  } catch (error) {
    return { unreadable: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}
