/**
 * Inspects the photos of a run before any GPU is paid for.
 *
 * In: `{ runId, bucket, photosPrefix, referencesPrefix, captions }`. Out: `{ accepted, warnings, referencesPrefix, findingsKey }`.
 * Ends in `PhotosRejected` when there is any blocker; every finding is then still in S3 as `findings.json`. Photos that are
 * added, replaced or removed meanwhile are inspected again.
 *
 * Called twice it writes the same keys with the same bytes. Leftovers of an earlier try are deleted after writing, not
 * before: so references that are already in use are never missing during a duplicate invocation.
 */
import { type BucketContext, deleteOthers, writeObject } from '../../lib/aws/s3.ts';
import { names } from '../../lib/core/contract/names.ts';
import { ProxytuneError } from '../../lib/core/errors.ts';
import { sha256Hex } from '../../lib/core/names.ts';
import type { CaptionSubject } from '../../lib/core/photos/captions.ts';
import { blockersOf, findingLine } from '../../lib/core/photos/photos.ts';
import { hash } from '../../lib/inspection/examine.ts';
import { type Inspection, type InspectOptions, inspectPhotos } from '../../lib/inspection/inspect.ts';
import { bucketNamed } from '../shared/context.ts';
import { setting } from '../shared/settings.ts';
import { awaitPhotos, changesOf, listPhotos, mistakenPhotos, sourcesOf } from './uploads.ts';

export interface InspectPhotosEvent {
  readonly runId: string;
  readonly bucket: string;
  /** S3 keys as they are, not URL-encoded. */
  readonly photosPrefix: string;
  readonly referencesPrefix: string;
  /** The subject of the photos' captions. */
  readonly captions: CaptionSubject;
}

export interface InspectPhotosResult {
  readonly accepted: number;
  readonly warnings: number;
  readonly referencesPrefix: string;
  readonly findingsKey: string;
}

/** Step Functions keeps 32,768 characters of a cause; the rest of the error's JSON needs some of them. */
const MAX_LISTED = 8000;

/** Inspections of photos that change meanwhile; the last one refuses them. */
const MOST_INSPECTIONS = 3;

export async function handler(event: InspectPhotosEvent, lambda?: Clock): Promise<InspectPhotosResult> {
  const { runId, bucket } = event;
  const context = bucketNamed(bucket);
  const photosPrefix = folder(event.photosPrefix);
  const referencesPrefix = folder(event.referencesPrefix);
  const findingsKey = `${referencesPrefix}${names.files.findings}`;
  const digests = new Map<string, string>();
  const inspection = await inspectUnchanged(context, photosPrefix, lambda, {
    subject: event.captions,
    writeReference: async (name, content, contentType) => {
      digests.set(name, hash(content));
      await writeObject(context, `${referencesPrefix}${name}`, content, { contentType });
    },
  });
  const references = inspection.refused ? [] : inspection.references;
  const files = references.flatMap(({ name, caption, mask }) => [
    name,
    ...(caption ? [caption.name] : []),
    ...(mask ? [mask.name] : []),
  ]);
  const referencesDigest = sha256Hex(files.map((name) => `${name} ${digests.get(name)}\n`).join(''));
  const findings = findingsJson(runId, { ...inspection, references }, referencesDigest);
  await writeObject(context, findingsKey, findings, { contentType: 'application/json' });
  const written = [findingsKey, ...files.map((name) => `${referencesPrefix}${name}`)];
  // References of an earlier try would be trained on as well.
  await deleteOthers(context, referencesPrefix, new Set(written));
  if (inspection.refused) {
    const mistaken =
      Object.keys(inspection.originals).length === 0
        ? await mistakenPhotos(context, photosPrefix)
        : undefined;
    throw mistaken === undefined
      ? rejection(inspection, `s3://${bucket}/${findingsKey}`)
      : misnamed(photosPrefix, mistaken);
  }
  const { accepted, warnings } = inspection;
  return { accepted, warnings, referencesPrefix, findingsKey };
}

/** The part of Lambda's context that is used. */
interface Clock {
  getRemainingTimeInMillis(): number;
}

/**
 * Inspects the photos, and again if they changed meanwhile: what the run is trained on is what lies in the folder.
 *
 * @throws PhotosRejected when they go on changing, or when no time is left to inspect them again
 */
async function inspectUnchanged(
  context: BucketContext,
  prefix: string,
  lambda: Clock | undefined,
  options: InspectOptions,
): Promise<Inspection> {
  const wait = Number(setting('PHOTOS_WAIT_SECONDS'));
  let photos = await awaitPhotos(context, prefix, wait);
  for (let inspections = 1; ; inspections++) {
    const begun = Date.now();
    const inspection = await inspectPhotos(sourcesOf(context, prefix, photos), options);
    const now = await listPhotos(context, prefix);
    const changes = changesOf(photos, now);
    if (changes.length === 0) return inspection;
    const left = lambda?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY;
    if (inspections >= MOST_INSPECTIONS || left < 2 * (Date.now() - begun)) throw changing(changes);
    photos = now;
  }
}

/** A prefix that ends where a name begins: `a/b` would also match `a/bc.jpg`. */
function folder(prefix: string): string {
  return prefix.endsWith('/') ? prefix : `${prefix}/`;
}

function changing(changes: readonly string[]): ProxytuneError {
  return new ProxytuneError('PhotosRejected', {
    what: 'The photos were changed each time that they were inspected',
    given: changes.slice(0, 20).join(', '),
    allowed: 'photos that stay as they are while a run begins',
    remedy: 'upload subject.json again once all photos are uploaded',
  });
}

function misnamed(prefix: string, mistaken: string): ProxytuneError {
  return new ProxytuneError('PhotosRejected', {
    what: 'The folder of the photos has another name than it must have',
    given: mistaken,
    allowed: prefix,
    remedy: 'rename the folder, then upload subject.json again',
  });
}

/** All findings, without times, so that the same photos give the same bytes. */
function findingsJson(runId: string, inspection: Inspection, referencesDigest: string): string {
  const { refused, accepted, warnings, set, references, originals, companions } = inspection;
  const photos = inspection.photos.map((photo) => {
    const reference = references.find(({ file }) => file === photo.file);
    return {
      ...photo,
      ...(originals[photo.file] === undefined ? {} : { sha256: originals[photo.file] }),
      ...(reference === undefined ? {} : { reference: { ...reference, file: undefined } }),
    };
  });
  return `${JSON.stringify({ runId, refused, accepted, warnings, referencesDigest, photos, companions, set }, null, 2)}\n`;
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
    remedy: `fix or remove these files, then try again (in the bucket: upload subject.json again); all findings with remedies are in ${findingsUri}`,
  });
}
