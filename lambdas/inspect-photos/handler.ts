/**
 * Inspects the photos of a run before any GPU is paid for.
 *
 * In: `{ runId, bucket, photosPrefix, referencesPrefix }`. Out: `{ accepted, warnings, referencesPrefix, findingsKey }`.
 * Ends in `PhotosRejected` when there is any blocker; every finding then still lies in S3 as `findings.json`.
 *
 * Called twice it writes the same keys with the same bytes. Leftovers of an earlier try are removed after writing, not
 * before: so a duplicate invocation never leaves a moment in which references that are already in use are gone.
 */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { s3 } from '../../lib/aws/lambda/clients.ts';
import { names } from '../../lib/core/contract/names.ts';
import { ProxytuneError } from '../../lib/core/errors.ts';
import { blockersOf, findingLine } from '../../lib/core/photos/photos.ts';
import { type Inspection, inspectPhotos, type PhotoSource } from '../../lib/inspection/inspect.ts';

export interface InspectPhotosEvent {
  readonly runId: string;
  readonly bucket: string;
  /** S3 keys as they are, not URL-encoded. */
  readonly photosPrefix: string;
  readonly referencesPrefix: string;
}

export interface InspectPhotosResult {
  readonly accepted: number;
  readonly warnings: number;
  readonly referencesPrefix: string;
  readonly findingsKey: string;
}

/** Step Functions keeps 32,768 characters of a cause; the rest of the error's JSON needs some of them. */
const MAX_LISTED = 8000;
/** S3 deletes at most this many objects in one call. */
const DELETE_BATCH = 1000;

export async function handler(event: InspectPhotosEvent): Promise<InspectPhotosResult> {
  const { runId, bucket } = event;
  const photosPrefix = folder(event.photosPrefix);
  const referencesPrefix = folder(event.referencesPrefix);
  const findingsKey = `${referencesPrefix}${names.files.findings}`;
  const inspection = await inspectPhotos(await listPhotos(bucket, photosPrefix), {
    writeReference: (name, png) => put(bucket, `${referencesPrefix}${name}`, png, 'image/png'),
  });
  const references = inspection.refused ? [] : inspection.references;
  await put(bucket, findingsKey, findingsJson(runId, { ...inspection, references }), 'application/json');
  await removeOthers(bucket, referencesPrefix, [
    findingsKey,
    ...references.map(({ name }) => `${referencesPrefix}${name}`),
  ]);
  if (inspection.refused) throw rejection(inspection, `s3://${bucket}/${findingsKey}`);
  const { accepted, warnings } = inspection;
  return { accepted, warnings, referencesPrefix, findingsKey };
}

/** A prefix that ends where a name begins: `a/b` would also hold `a/bc.jpg`. */
function folder(prefix: string): string {
  return prefix.endsWith('/') ? prefix : `${prefix}/`;
}

async function listPhotos(bucket: string, prefix: string): Promise<PhotoSource[]> {
  const sources: PhotoSource[] = [];
  for await (const page of paginateListObjectsV2({ client: s3() }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key: key = '', Size: bytes = 0 } of page.Contents ?? []) {
      // The console makes such empty objects to show a folder.
      if (key.endsWith('/') && bytes === 0) continue;
      sources.push({ file: key.slice(prefix.length), bytes, read: () => get(bucket, key) });
    }
  }
  return sources;
}

async function get(bucket: string, key: string): Promise<Uint8Array> {
  const { Body: body } = await s3().send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await body?.transformToByteArray()) ?? new Uint8Array();
}

async function put(bucket: string, key: string, content: Buffer | string, type: string): Promise<void> {
  await s3().send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, ContentType: type }));
}

async function removeOthers(bucket: string, prefix: string, keep: readonly string[]): Promise<void> {
  const others: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3() }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key: key } of page.Contents ?? [])
      if (key !== undefined && !keep.includes(key)) others.push(key);
  }
  for (let at = 0; at < others.length; at += DELETE_BATCH) {
    const Objects = others.slice(at, at + DELETE_BATCH).map((Key) => ({ Key }));
    const answer = await s3().send(
      new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
    );
    const failed = answer.Errors?.[0];
    // Old references left lying would be trained on: better no run than that.
    if (failed !== undefined)
      throw new Error(`S3 did not delete ${failed.Key}: ${failed.Code} ${failed.Message}`);
  }
}

/** Everything found, without times, so that the same photos give the same bytes. */
function findingsJson(runId: string, inspection: Inspection): string {
  const { refused, accepted, warnings, set, references, originals } = inspection;
  const photos = inspection.photos.map((photo) => {
    const reference = references.find(({ file }) => file === photo.file);
    return {
      ...photo,
      ...(originals[photo.file] === undefined ? {} : { sha256: originals[photo.file] }),
      ...(reference === undefined ? {} : { reference: { ...reference, file: undefined } }),
    };
  });
  return `${JSON.stringify({ runId, refused, accepted, warnings, photos, set }, null, 2)}\n`;
}

function rejection(inspection: Inspection, findingsUri: string): ProxytuneError {
  const blockers = blockersOf(inspection);
  const lines: string[] = [];
  let length = 0;
  for (const line of blockers.map(findingLine)) {
    length += line.length + 2;
    if (length > MAX_LISTED) break;
    lines.push(line);
  }
  const unlisted = blockers.length - lines.length;
  return new ProxytuneError('PhotosRejected', {
    what: `The photos cannot be used: ${blockers.length} ${blockers.length === 1 ? 'blocker' : 'blockers'}`,
    given: lines.join('; ') + (unlisted > 0 ? `; and ${unlisted} more` : ''),
    remedy: `mend or remove these files, then try again (in the bucket: upload subject.json again); all findings with remedies are in ${findingsUri}`,
  });
}
