/** A model folder on this disk: what is in it, and whether it still is what it was. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ProxytuneError } from '../core/errors.ts';
import { MANIFEST_FILE, type ModelFile, type ModelManifest, modelManifest } from '../core/model-manifest.ts';

/** A file of a folder, by itself. */
export interface FolderFile {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** The files of a model folder in one order everywhere; links are followed, a manifest and hidden files left out. */
export async function filesOf(folder: string): Promise<FolderFile[]> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => path !== MANIFEST_FILE && !path.split('/').some((part) => part.startsWith('.')))
    .sort();
  return Promise.all(
    paths.map(async (path) => {
      const { size, mtimeMs } = await stat(join(folder, path));
      return { path, size, modified: Math.floor(mtimeMs) };
    }),
  );
}

export interface HashOptions {
  /** Files whose hash is known and holds while size and time are the same. @default - none */
  readonly known?: readonly ModelFile[];
  /** Ends the reading. @default - it goes on to its end */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Size, time and SHA-256 of files of a folder.
 * @param files - those to read. @default - all
 * @throws ModelMissing when there are none
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
  // One after the other: a disk is no faster for being read in two places.
  for (const { path, size, modified } of all) {
    const before = known.get(path);
    const same = before?.size === size && before.modified === modified;
    const sha256 = same ? before.sha256 : await sha256Of(join(folder, path), options.signal);
    described.push({ path, size, sha256, etag: null, modified });
  }
  return described;
}

/** The manifest that a download has left in its folder. @returns undefined when there is none that can be read */
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

/** The folder without links on the way to it, so that it is known under one name. @throws ModelMissing */
export async function requireFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw noModel(folder);
  return realpath(folder);
}

function noModel(folder: string): ProxytuneError {
  return new ProxytuneError('ModelMissing', {
    what: 'The folder holds no model',
    given: folder,
    allowed: 'a folder in the layout that docs/models.md shows',
    remedy: 'name the folder that model_index.json or config.json lies in',
  });
}
