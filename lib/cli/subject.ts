/** A folder on disk as the upload that starts a run: the photos, and subject.json last. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { DeleteObjectsCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { ProxytuneError } from '../core/errors.ts';
import { keys, REQUEST_FILE } from '../core/keys.ts';
import { runId } from '../core/names.ts';
import type { RequestInput } from '../core/request.ts';
import type { Place } from './clients.ts';

/** A folder with photos, or with a `photos` folder and a subject.json beside it. */
export interface SubjectFolder {
  readonly subject: string;
  readonly photos: string;
  /** What its subject.json says. @default - nothing, when there is none */
  readonly request: Partial<RequestInput>;
}

/** @throws FolderMissing, RequestInvalid */
export function openSubject(dir: string, name?: string): SubjectFolder {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ProxytuneError('FolderMissing', {
      what: 'There is no such folder of photos',
      given: dir,
      allowed: 'a folder with at least three photos of one subject',
      remedy: 'check the path',
    });
  }
  const inner = join(dir, 'photos');
  const file = join(dir, REQUEST_FILE);
  return {
    subject: name ?? slug(basename(resolve(dir))),
    photos: existsSync(inner) ? inner : dir,
    request: existsSync(file) ? readRequest(file) : {},
  };
}

function readRequest(file: string): Partial<RequestInput> {
  try {
    return JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new ProxytuneError('RequestInvalid', {
      what: `${REQUEST_FILE} is not valid JSON`,
      given: (cause as Error).message,
      remedy: 'correct it, then run this again',
      cause,
    });
  }
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
export async function uploadSubject(place: Place, folder: SubjectFolder, request: unknown): Promise<string> {
  const files = (await readdir(folder.photos, { withFileTypes: true })).filter((entry) => entry.isFile());
  const prefix = keys.photos(folder.subject);
  const wanted = new Set(files.map((file) => prefix + file.name));
  await removeOthers(place, prefix, wanted);
  for (const file of files) {
    const Body = await readFile(join(folder.photos, file.name));
    await place.s3.send(new PutObjectCommand({ Bucket: place.bucket, Key: prefix + file.name, Body }));
  }
  const key = keys.request(folder.subject);
  const { VersionId, ETag } = await place.s3.send(
    new PutObjectCommand({ Bucket: place.bucket, Key: key, Body: JSON.stringify(request, null, 2) }),
  );
  const version = VersionId ?? ETag?.replaceAll('"', '') ?? '';
  return runId(folder.subject, { bucket: place.bucket, key, version });
}

/** Photos of an earlier upload that the folder no longer has would be learnt too. */
async function removeOthers(place: Place, prefix: string, wanted: ReadonlySet<string>): Promise<void> {
  const page = await place.s3.send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: prefix }));
  const stale = (page.Contents ?? []).map(({ Key }) => Key ?? '').filter((key) => !wanted.has(key));
  if (stale.length === 0) return;
  const Objects = stale.map((Key) => ({ Key }));
  await place.s3.send(new DeleteObjectsCommand({ Bucket: place.bucket, Delete: { Objects, Quiet: true } }));
}
