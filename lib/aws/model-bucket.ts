/** Base models in a bucket: what is held of one, and bringing a folder there, whole and only once. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Model } from '../core/catalogue/models.ts';
import { ProxytuneError } from '../core/errors.ts';
import { keys } from '../core/keys.ts';
import {
  contentOf,
  differences,
  type FoundFile,
  type Held,
  MANIFEST_FILE,
  type ModelFile,
  type ModelManifest,
  makeManifest,
  type Origin,
  requireModel,
} from '../core/models/manifest.ts';
import { removeOthers } from './bucket.ts';
import { inTurns } from './in-turns.ts';
import { requireUnchanged } from './model-folder.ts';
import { isOthersDoing, PART_BYTES, readFrom, uploadInParts } from './multipart.ts';

export interface Bucket {
  readonly s3: S3Client;
  readonly bucket: string;
}

/** Metadata of an object that says what its content is: a multipart upload's ETag does not. */
const SHA256 = 'sha256';
/** Files at once. Large ones go in parts besides. */
const FILES_AT_ONCE = 4;
/** Times that the parts of a file are sent while other imports end what they were sent to. */
const MOST_TRIES = 4;

/** What the bucket holds of a model; one listing, and the manifest when there is one. */
export async function heldInBucket({ s3, bucket }: Bucket, id: string): Promise<Held> {
  const prefix = keys.model(id);
  const files: FoundFile[] = [];
  let complete = false;
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key = '', Size = 0, ETag } of page.Contents ?? []) {
      const path = Key.slice(prefix.length);
      if (path === MANIFEST_FILE) complete = true;
      // A key that ends in a slash is a folder of the S3 console.
      else if (!path.endsWith('/') && path !== '') files.push({ path, size: Size, etag: unquoted(ETag) });
    }
  }
  const where = `s3://${bucket}/${prefix}`;
  if (!complete) return { where, files };
  const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: keys.modelManifest(id) }));
  return { where, files, manifest: (await object.Body?.transformToString()) ?? '' };
}

export interface UploadOptions {
  /** Told of every file as its upload begins. @default - nobody is */
  readonly tell?: (file: ModelFile, there: boolean) => void;
  /** Ends the work between two parts; what is there stays, and is not brought again. @default - it goes on */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings a folder's files into the bucket and writes the manifest last. What is there already, with the same size and
 * SHA-256, is left as it is; what does not belong to the model is removed. Two imports of the same files at once both
 * come to their end.
 * @param files - of the folder, as `describeFolder` gives them
 * @throws ModelMismatch when a file is written to meanwhile; RunActive when another import brings other files
 */
export async function uploadModel(
  place: Bucket,
  row: Model,
  folder: string,
  files: readonly ModelFile[],
  origin: Origin,
  { tell, signal }: UploadOptions = {},
): Promise<ModelManifest> {
  const { s3, bucket } = place;
  const prefix = keys.model(row.id);
  // From here on the model is not whole: a plan must not take a mixture for it.
  if (!(await isWhole(place, row.id, files))) {
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: keys.modelManifest(row.id) }));
    await removeOthers(place, prefix, new Set(files.map(({ path }) => prefix + path)));
  }
  const stored: ModelFile[] = [];
  await inTurns(files, FILES_AT_ONCE, signal, async (file, either) => {
    const Key = prefix + file.path;
    const there = await etagOfSame(place, Key, file);
    tell?.(file, there !== undefined);
    const etag = there ?? (await uploadFile(place, Key, join(folder, file.path), file, either));
    stored.push({ ...file, etag, modified: null });
  });
  const manifest = makeManifest(row, origin, stored);
  await writeManifest(place, manifest);
  await requireOwn(place, row, manifest);
  return manifest;
}

/** Whether just these files are there, as they were brought in: then nothing changes, and runs may go on. */
async function isWhole(place: Bucket, id: string, files: readonly ModelFile[]): Promise<boolean> {
  try {
    return contentOf(requireModel(id, await heldInBucket(place, id))) === contentOf({ files });
  } catch (error) {
    if (error instanceof ProxytuneError) return false;
    throw error;
  }
}

/** What this import has brought must lie there at its end, whether or not another one has begun since. @throws RunActive */
async function requireOwn(place: Bucket, { id, title }: Model, manifest: ModelManifest): Promise<void> {
  const { where, files } = await heldInBucket(place, id);
  const faults = differences(manifest, files);
  if (faults.length > 0) throw otherImport(title, `${where}: ${faults.slice(0, 3).join('; ')}`);
}

function otherImport(title: string, given: string, cause?: unknown): ProxytuneError {
  return new ProxytuneError('RunActive', {
    what: `Another import has changed the files of ${title} meanwhile`,
    given,
    allowed: 'several imports at once, if they bring the same files',
    remedy: 'wait until the other one is over, then call this again, which brings only what differs',
    cause,
  });
}

/** Writes the manifest, after which the model is there. */
export async function writeManifest({ s3, bucket }: Bucket, manifest: ModelManifest): Promise<void> {
  await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: keys.modelManifest(manifest.model),
      Body: JSON.stringify(manifest),
      ContentType: 'application/json',
    }),
  );
}

/** The ETag of an object with just this content, when there is one. */
async function etagOfSame({ s3, bucket }: Bucket, Key: string, file: ModelFile): Promise<string | undefined> {
  try {
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key }));
    const same = head.ContentLength === file.size && head.Metadata?.[SHA256] === file.sha256;
    return same ? unquoted(head.ETag) : undefined;
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404)
      return undefined;
    throw error;
  }
}

async function uploadFile(
  place: Bucket,
  Key: string,
  path: string,
  file: ModelFile,
  signal: AbortSignal,
): Promise<string> {
  const handle = await open(path);
  try {
    const etag = await send(place, Key, handle, file, signal).catch(async (error) => {
      // Why it failed, when it became shorter meanwhile.
      await requireUnchanged(path, file);
      throw error;
    });
    await requireUnchanged(path, file).catch(async (error) => {
      // The object says that it has the content of before.
      await place.s3.send(new DeleteObjectCommand({ Bucket: place.bucket, Key }));
      throw error;
    });
    return etag;
  } finally {
    await handle.close();
  }
}

async function send(
  { s3, bucket }: Bucket,
  Key: string,
  handle: FileHandle,
  file: ModelFile,
  signal: AbortSignal,
): Promise<string> {
  const Metadata = { [SHA256]: file.sha256 };
  if (file.size > PART_BYTES) return sendInParts({ s3, bucket }, Key, handle, file, Metadata, signal);
  const Body = await readFrom(handle, 0, file.size);
  const { ETag } = await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, Metadata }));
  return unquoted(ETag) ?? createHash('md5').update(Body).digest('hex');
}

/** Of imports of one file at once each goes on with the others' parts, and the first ends the upload for all. */
async function sendInParts(
  place: Bucket,
  Key: string,
  handle: FileHandle,
  file: ModelFile,
  metadata: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  const target = { s3: place.s3, Bucket: place.bucket, Key };
  for (let tries = 1; ; tries += 1) {
    try {
      return unquoted(await uploadInParts(target, handle, file.size, metadata, signal)) ?? '';
    } catch (error) {
      if (!isOthersDoing(error as Error)) throw error;
      const there = await etagOfSame(place, Key, file);
      if (there !== undefined) return there;
      if (tries === MOST_TRIES) throw otherImport(file.path, `s3://${place.bucket}/${Key}`, error);
    }
  }
}

/** S3 gives ETags in quotation marks. */
export function unquoted(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '');
}
