/** The files of a model folder on this disk, and checks that they have not changed. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ProxytuneError } from '../../core/errors.ts';
import {
  type FoundFile,
  MANIFEST_FILE,
  type ModelFile,
  type ModelManifest,
  modelManifest,
} from '../../core/models/manifest.ts';

/** A file of a folder, before its content is read. */
export interface FolderFile {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** A link to nothing, or something that can never be read to its end, such as a pipe. @default - a file */
  readonly unreadable?: boolean;
}

/**
 * The files of a model folder in the same order everywhere; links to files and folders are followed, a manifest and
 * hidden files left out.
 */
export async function filesOf(folder: string): Promise<FolderFile[]> {
  const files = await below(folder, '', []);
  return files
    .filter(({ path }) => path !== MANIFEST_FILE)
    .sort((one, two) => (one.path < two.path ? -1 : 1));
}

/** @param above - the folders that contain this one, without links: a link to one of them has no end */
async function below(folder: string, prefix: string, above: readonly string[]): Promise<FolderFile[]> {
  const here = await realpath(folder);
  if (above.includes(here)) return [];
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
  const found = names.map(async (name): Promise<FolderFile[]> => {
    const path = prefix + name;
    const seen = await stat(join(folder, name)).catch(() => undefined);
    if (seen?.isDirectory()) return below(join(folder, name), `${path}/`, [...above, here]);
    if (!seen?.isFile()) return [{ path, size: 0, modified: 0, unreadable: true }];
    return [{ path, size: seen.size, modified: Math.floor(seen.mtimeMs) }];
  });
  return (await Promise.all(found)).flat();
}

export interface HashOptions {
  /** Files whose hash is known and valid while size and time are the same. @default - none */
  readonly known?: readonly ModelFile[];
  /** Ends the reading. @default - it runs to its end */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Size, time and SHA-256 of files of a folder.
 * @param files - those to read. @default - all
 * @throws ModelMissing when there are none, ModelMismatch when one is written to meanwhile
 */
export async function describeFolder(
  folder: string,
  options: HashOptions = {},
  files?: readonly FolderFile[],
): Promise<ModelFile[]> {
  const all = files ?? (existsSync(folder) ? await filesOf(folder) : []);
  if (all.length === 0) throw noModel(folder);
  const known = new Map((options.known ?? []).map((file) => [file.path, file]));
  const described: ModelFile[] = [];
  // One after the other: reading in two places does not make a disk faster.
  for (const { path, size, modified } of all) {
    const before = known.get(path);
    const same = before?.size === size && before.modified === modified;
    const sha256 = same ? before.sha256 : await sha256Of(join(folder, path), options.signal);
    if (!same) await requireUnchanged(join(folder, path), { size, modified });
    described.push({ path, size, sha256, etag: null, modified });
  }
  return described;
}

/**
 * Checks by size and time that a file has not changed since its hash was taken.
 * @throws ModelMismatch
 */
export async function requireUnchanged(
  file: string,
  { size, modified }: Pick<ModelFile, 'size' | 'modified'>,
): Promise<void> {
  const seen = await stat(file).catch(() => undefined);
  if (seen?.size === size && (modified === null || Math.floor(seen.mtimeMs) === modified)) return;
  throw new ProxytuneError('ModelMismatch', {
    what: 'A file of the model was written to while it was read',
    given: file,
    allowed: 'a folder that nothing else writes to',
    remedy: 'wait until the download or copy is done, then retry; files that were imported stay',
  });
}

/** Size and time now of files of a folder; those that do not exist are left out. */
export async function findFiles(
  folder: string,
  files: readonly Pick<ModelFile, 'path'>[],
): Promise<Required<Pick<FoundFile, 'path' | 'size' | 'modified'>>[]> {
  const found = files.map(async ({ path }) => {
    const seen = await stat(join(folder, path)).catch(() => undefined);
    return seen && { path, size: seen.size, modified: Math.floor(seen.mtimeMs) };
  });
  return (await Promise.all(found)).filter((file) => file !== undefined);
}

/** The manifest that a download has left in its folder. @returns undefined when there is none, or it cannot be read */
export function manifestIn(folder: string): ModelManifest | undefined {
  try {
    const read = modelManifest.safeParse(JSON.parse(readFileSync(join(folder, MANIFEST_FILE), 'utf8')));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

/** SHA-256 of a file, in hexadecimal digits. */
export async function sha256Of(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash, signal ? { signal } : {});
  return hash.digest('hex');
}

/** The path of the folder without links, so that it has one name. @throws ModelMissing */
export async function requireFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw noModel(folder);
  return realpath(folder);
}

function noModel(folder: string): ProxytuneError {
  return new ProxytuneError('ModelMissing', {
    what: 'The folder does not contain a model',
    given: folder,
    allowed: 'a folder in the layout that docs/models.md shows',
    remedy: 'name the folder that contains model_index.json or config.json',
  });
}
