/**
 * Inspects the photos of a run before any GPU is paid for.
 *
 * In: `{ runId, bucket, photosPrefix, referencesPrefix, captions }`. Out: `{ accepted, warnings, referencesPrefix, findingsKey }`.
 * Ends in `PhotosRejected` when there is any blocker; every finding is then still in S3 as `findings.json`.
 *
 * Called twice it writes the same keys with the same bytes. Leftovers of an earlier try are deleted after writing, not
 * before: so references that are already in use are never missing during a duplicate invocation.
 */
import {
  type BucketContext,
  deleteOthers,
  listObjects,
  readBeginning,
  writeObject,
} from '../../lib/aws/s3.ts';
import { names } from '../../lib/core/contract/names.ts';
import { ProxytuneError } from '../../lib/core/errors.ts';
import type { CaptionSubject } from '../../lib/core/photos/captions.ts';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import { blockersOf, findingLine } from '../../lib/core/photos/photos.ts';
import { type Inspection, inspectPhotos } from '../../lib/inspection/inspect.ts';
import type { PhotoSource } from '../../lib/inspection/source.ts';
import { bucketNamed } from '../shared/context.ts';

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

export async function handler(event: InspectPhotosEvent): Promise<InspectPhotosResult> {
  const { runId, bucket } = event;
  const context = bucketNamed(bucket);
  const photosPrefix = folder(event.photosPrefix);
  const referencesPrefix = folder(event.referencesPrefix);
  const findingsKey = `${referencesPrefix}${names.files.findings}`;
  const inspection = await inspectPhotos(await listPhotos(context, photosPrefix), {
    subject: event.captions,
    writeReference: async (name, content, contentType) => {
      await writeObject(context, `${referencesPrefix}${name}`, content, { contentType });
    },
  });
  const references = inspection.refused ? [] : inspection.references;
  const findings = findingsJson(runId, { ...inspection, references });
  await writeObject(context, findingsKey, findings, { contentType: 'application/json' });
  const files = references.flatMap(({ name, caption, mask }) => [
    name,
    ...(caption ? [caption.name] : []),
    ...(mask ? [mask.name] : []),
  ]);
  const written = [findingsKey, ...files.map((name) => `${referencesPrefix}${name}`)];
  // References of an earlier try would be trained on as well.
  await deleteOthers(context, referencesPrefix, new Set(written));
  if (inspection.refused) throw rejection(inspection, `s3://${bucket}/${findingsKey}`);
  const { accepted, warnings } = inspection;
  return { accepted, warnings, referencesPrefix, findingsKey };
}

/** A prefix that ends where a name begins: `a/b` would also match `a/bc.jpg`. */
function folder(prefix: string): string {
  return prefix.endsWith('/') ? prefix : `${prefix}/`;
}

async function listPhotos(context: BucketContext, prefix: string): Promise<PhotoSource[]> {
  const objects = await listObjects(context, prefix);
  return (
    objects
      // The console makes such empty objects to show a folder.
      .filter(({ key, size }) => !(key.endsWith('/') && size === 0))
      .map(({ key, size }) => ({
        file: key.slice(prefix.length),
        bytes: size,
        read: () => readPhoto(context, key),
      }))
  );
}

/** Reads at most the largest allowed photo: a larger file may have replaced it since it was listed. */
async function readPhoto(
  context: BucketContext,
  key: string,
): Promise<Uint8Array | { readonly unreadable: string }> {
  const { content, size } = await readBeginning(context, key, PHOTO_LIMITS.maxBytes);
  if (size <= PHOTO_LIMITS.maxBytes) return content;
  return { unreadable: `it was replaced by a file of ${size} bytes while the photos were inspected` };
}

/** All findings, without times, so that the same photos give the same bytes. */
function findingsJson(runId: string, inspection: Inspection): string {
  const { refused, accepted, warnings, set, references, originals, companions } = inspection;
  const photos = inspection.photos.map((photo) => {
    const reference = references.find(({ file }) => file === photo.file);
    return {
      ...photo,
      ...(originals[photo.file] === undefined ? {} : { sha256: originals[photo.file] }),
      ...(reference === undefined ? {} : { reference: { ...reference, file: undefined } }),
    };
  });
  return `${JSON.stringify({ runId, refused, accepted, warnings, photos, companions, set }, null, 2)}\n`;
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
