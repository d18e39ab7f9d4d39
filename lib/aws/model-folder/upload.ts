/** Uploads a model folder to the bucket, completely and each file only once. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model } from '../../core/catalogue/models.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { keys } from '../../core/keys.ts';
import {
  differences,
  digestOf,
  type ModelFile,
  type ModelManifest,
  makeManifest,
  type Origin,
} from '../../core/models/manifest.ts';
import { forEachLimited } from '../concurrency.ts';
import { requireStoredModel, storedModel, writeManifest } from '../models.ts';
import { type BucketContext, deleteObject, deleteOthers, describeObject, writeObject } from '../s3.ts';
import { isCausedByOthers, PART_BYTES, readFrom, uploadInParts } from '../upload.ts';
import { requireUnchanged } from './files.ts';

/** Metadata of an object that identifies its content: a multipart upload's ETag does not. */
const SHA256 = 'sha256';
/** Files at once. Large ones go in parts as well. */
const FILES_AT_ONCE = 4;
/** Times that the parts of a file are sent while other imports end the uploads that they were sent to. */
const MOST_TRIES = 4;

export interface UploadOptions {
  /** Called for every file as its upload begins. @default - nothing is reported */
  readonly report?: (file: ModelFile, stored: boolean) => void;
  /** Ends the work between two parts; what is uploaded stays, and is not uploaded again. @default - runs to its end */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Uploads a folder's files and writes the manifest last. Files that are stored already, with the same size and SHA-256,
 * are left as they are; files that do not belong to the model are deleted. Two imports of the same files at once both
 * succeed.
 * @param files - of the folder, as `describeFolder` gives them
 * @throws ModelMismatch when a file is written to meanwhile; RunActive when another import uploads other files
 */
export async function uploadModel(
  context: BucketContext,
  row: Model,
  folder: string,
  files: readonly ModelFile[],
  origin: Origin,
  { report, signal }: UploadOptions = {},
): Promise<ModelManifest> {
  const prefix = keys.model(row.id);
  // From here on the model is not complete: a plan must not take a mixture for it.
  if (!(await isComplete(context, row.id, files))) {
    await deleteObject(context, keys.modelManifest(row.id));
    await deleteOthers(context, prefix, new Set(files.map(({ path }) => prefix + path)));
  }
  const stored: ModelFile[] = [];
  await forEachLimited(files, FILES_AT_ONCE, signal, async (file, either) => {
    const key = prefix + file.path;
    const same = await etagOfSame(context, key, file);
    report?.(file, same !== undefined);
    const etag = same ?? (await uploadFile(context, key, join(folder, file.path), file, either));
    stored.push({ ...file, etag, modified: null });
  });
  const manifest = makeManifest(row, origin, stored);
  await writeManifest(context, manifest);
  await requireOwn(context, row, manifest);
  return manifest;
}

/** Checks whether exactly these files are stored as they were imported: then nothing changes, and runs may continue. */
async function isComplete(context: BucketContext, id: string, files: readonly ModelFile[]): Promise<boolean> {
  try {
    return digestOf(await requireStoredModel(context, id)) === digestOf({ files });
  } catch (error) {
    if (error instanceof ProxytuneError) return false;
    throw error;
  }
}

/** The files of this import must be stored at its end, even if another one has begun since. @throws RunActive */
async function requireOwn(
  context: BucketContext,
  { id, title }: Model,
  manifest: ModelManifest,
): Promise<void> {
  const { where, files } = await storedModel(context, id);
  const faults = differences(manifest, files);
  if (faults.length > 0) throw otherImport(title, `${where}: ${faults.slice(0, 3).join('; ')}`);
}

function otherImport(title: string, given: string, cause?: unknown): ProxytuneError {
  return new ProxytuneError('RunActive', {
    what: `Another import has changed the files of ${title} meanwhile`,
    given,
    allowed: 'several imports at once, if they upload the same files',
    remedy: 'wait until the other one is over, then retry, which uploads only what differs',
    cause,
  });
}

/** The ETag of an object with exactly this content, when there is one. */
async function etagOfSame(context: BucketContext, key: string, file: ModelFile): Promise<string | undefined> {
  const stored = await describeObject(context, key);
  return stored?.size === file.size && stored.metadata[SHA256] === file.sha256 ? stored.etag : undefined;
}

async function uploadFile(
  context: BucketContext,
  key: string,
  path: string,
  file: ModelFile,
  signal: AbortSignal,
): Promise<string> {
  const handle = await open(path);
  try {
    const etag = await send(context, key, handle, file, signal).catch(async (error) => {
      // The reason, when the file became shorter meanwhile.
      await requireUnchanged(path, file);
      throw error;
    });
    await requireUnchanged(path, file).catch(async (error) => {
      // The object's metadata claims the earlier content.
      await deleteObject(context, key);
      throw error;
    });
    return etag;
  } finally {
    await handle.close();
  }
}

async function send(
  context: BucketContext,
  key: string,
  handle: FileHandle,
  file: ModelFile,
  signal: AbortSignal,
): Promise<string> {
  const metadata = { [SHA256]: file.sha256 };
  if (file.size > PART_BYTES) return sendInParts(context, key, handle, file, metadata, signal);
  const content = await readFrom(handle, 0, file.size);
  const { etag } = await writeObject(context, key, content, { metadata });
  return etag ?? createHash('md5').update(content).digest('hex');
}

/** Of concurrent imports of one file each continues with the others' parts, and the first completes it for all. */
async function sendInParts(
  context: BucketContext,
  key: string,
  handle: FileHandle,
  file: ModelFile,
  metadata: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  const target = { s3: context.s3, Bucket: context.bucket, Key: key };
  for (let tries = 1; ; tries += 1) {
    try {
      return (await uploadInParts(target, handle, file.size, metadata, signal)) ?? '';
    } catch (error) {
      if (!isCausedByOthers(error as Error)) throw error;
      const etag = await etagOfSame(context, key, file);
      if (etag !== undefined) return etag;
      if (tries === MOST_TRIES) throw otherImport(file.path, `s3://${context.bucket}/${key}`, error);
    }
  }
}
