/** A folder on disk as the upload that starts a run: the photos, and subject.json last. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type BucketContext, deleteOthers, writeObject } from '../aws/s3.ts';
import { model } from '../core/catalogue/models.ts';
import { captionSubject } from '../core/catalogue/prompts.ts';
import { ProxytuneError } from '../core/errors.ts';
import { isSubjectName, keys, REQUEST_FILE } from '../core/keys.ts';
import { runId } from '../core/names.ts';
import type { CaptionSubject } from '../core/photos/captions.ts';
import { isIgnoredName } from '../core/photos/rules.ts';
import { parseRequest, type RequestInput, readObject } from '../core/request/request.ts';
import type { PhotoSource } from '../inspection/source.ts';
import { folderSources } from './photo-folder.ts';

/** A folder with photos, or with a `photos` folder and a subject.json next to it. */
export interface SubjectFolder {
  readonly subject: string;
  readonly photos: string;
  /** The fields of its subject.json. @default - empty, when there is none */
  readonly request: Partial<RequestInput>;
}

/** @throws FolderMissing, RequestInvalid, UsageInvalid for an invalid name */
export function openSubject(dir: string, name?: string): SubjectFolder {
  if (name !== undefined && !isSubjectName(name)) {
    throw new ProxytuneError('UsageInvalid', {
      what: 'Invalid subject name',
      given: `--subject ${JSON.stringify(name)}`,
      allowed: '1 to 40 letters, digits, - or _, the first a letter or digit',
      remedy: 'choose another name, or omit --subject to use the name of the folder',
    });
  }
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ProxytuneError('FolderMissing', {
      what: 'No such folder of photos',
      given: dir,
      allowed: 'a folder with at least three photos of one subject',
      remedy: 'check the path',
    });
  }
  const file = join(dir, REQUEST_FILE);
  return {
    subject: name ?? slug(basename(resolve(dir))),
    photos: photosFolder(dir),
    request: existsSync(file) ? readRequest(file) : {},
  };
}

/** Where a subject's photos are: its folder `photos` when it has one, else itself. */
export function photosFolder(dir: string): string {
  const inner = join(dir, 'photos');
  return existsSync(inner) ? inner : dir;
}

/**
 * The subject of the captions in a folder, by its subject.json.
 *
 * @param category - wins over that of subject.json
 * @returns undefined when neither names a category
 * @throws RequestInvalid
 */
export function captionSubjectOf(dir: string, category?: string): CaptionSubject | undefined {
  const file = join(dir, REQUEST_FILE);
  const written = existsSync(file) ? readRequest(file) : {};
  const asked = { ...written, ...(category !== undefined && { category }), consent: true };
  if (asked.category === undefined) return undefined;
  const request = parseRequest(JSON.stringify(asked));
  return captionSubject({ ...request, domain: model(request.student).domain });
}

/** @throws RequestInvalid when the file is not a JSON object */
export function readRequest(file: string): Partial<RequestInput> {
  return readObject(requestText(file)) as Partial<RequestInput>;
}

/** @throws RequestInvalid when it is not a regular file, such as a pipe that would block */
function requestText(file: string): string {
  try {
    if (statSync(file).isFile()) return readFileSync(file, 'utf8');
  } catch (cause) {
    throw unreadable((cause as Error).message, cause);
  }
  throw unreadable(`${file} is not a file`);
}

function unreadable(given: string, cause?: unknown): ProxytuneError {
  return new ProxytuneError('RequestInvalid', {
    what: `${REQUEST_FILE} cannot be read`,
    given,
    allowed: 'a file of JSON that you may read',
    remedy: 'correct it, then run this again',
    cause,
  });
}

function slug(text: string): string {
  return (
    text
      .replace(/[^a-zA-Z0-9_-]+/g, '-')
      .replace(/^[-_]+|[-_]+$/g, '')
      .slice(0, 40) || 'subject'
  );
}

/**
 * Makes the subject's photos in the bucket those of the folder, then puts subject.json.
 * @returns the run that this upload asks for
 */
export async function uploadSubject(
  context: BucketContext,
  folder: SubjectFolder,
  request: unknown,
  signal: AbortSignal,
): Promise<string> {
  const photos = await photosOf(folder);
  const prefix = keys.photos(folder.subject);
  // Photos of an earlier upload that the folder no longer has would be learned too.
  await deleteOthers(context, prefix, new Set(photos.map(({ file }) => prefix + file)));
  for (const photo of photos) {
    signal.throwIfAborted();
    await writeObject(context, prefix + photo.file, await contentOf(photo));
  }
  signal.throwIfAborted();
  const key = keys.request(folder.subject);
  const { version, etag } = await writeObject(context, key, JSON.stringify(request, null, 2));
  return runId(folder.subject, { bucket: context.bucket, key, version: version ?? etag ?? '' });
}

/**
 * The files that `check` would inspect, without those that it ignores: a subject.json among the photos would reach the
 * bucket as a second ready signal, under a key that names no subject.
 */
export async function photosOf(folder: SubjectFolder): Promise<PhotoSource[]> {
  return (await folderSources(folder.photos)).filter(({ file }) => !isIgnoredName(file));
}

async function contentOf({ file, read }: PhotoSource): Promise<Uint8Array> {
  const content = await read();
  if (!('unreadable' in content)) return content;
  throw new ProxytuneError('PhotosRejected', {
    what: 'A photo cannot be read',
    given: `${file} (${content.unreadable})`,
    remedy: 'allow reading it, or remove it',
  });
}
