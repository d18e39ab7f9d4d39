/** A folder of photos on disk, as `check` judges it and `run` uploads it: both must mean the same files. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';
import type { PhotoSource } from '../inspection/source.ts';

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

/** Files below a folder, without hidden folders: the contents of .git would bury the photos' verdicts. */
async function filesBelow(dir: string): Promise<string[]> {
  await requireFolder(dir);
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    throw new ProxytuneError('FolderMissing', {
      what: `There is no folder ${dir} that can be read`,
      given: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such folder' : String(error),
      allowed: 'a folder with photos of the subject',
      remedy: 'check the path',
      cause: error,
    });
  });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter(
      (file) =>
        !file
          .split('/')
          .slice(0, -1)
          .some((folder) => folder.startsWith('.')),
    );
  requireFew(dir, files);
  return files;
}

/** A subject's folder holds some dozens of files; thousands are the wrong folder, and would bury the useful message. */
const MOST_FILES = 500;

async function requireFolder(dir: string): Promise<void> {
  const facts = await stat(dir).catch(() => undefined);
  if (facts?.isDirectory() !== false) return;
  throw new ProxytuneError('FolderMissing', {
    what: `${dir} is a file, not a folder`,
    allowed: 'a folder with photos of the subject',
    remedy: `name the folder it lies in: ${dirname(dir)}`,
  });
}

function requireFew(dir: string, files: readonly string[]): void {
  if (files.length <= MOST_FILES) return;
  throw new ProxytuneError('UsageInvalid', {
    what: 'Too many files for a folder of photos of one subject',
    given: `${files.length} files in ${dir} and below`,
    allowed: '3 to 30 photos',
    remedy: 'name the folder that holds the photos and nothing else',
  });
}

/** An unreadable file is a finding like any other: the other photos are still inspected. */
async function readPhoto(path: string): Promise<Uint8Array | { unreadable: string }> {
  try {
    return await readFile(path);
  } catch (error) {
    return { unreadable: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}
