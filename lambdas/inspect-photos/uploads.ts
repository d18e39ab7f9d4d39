/** The photos of a subject as they are uploaded: what is there, what changes meanwhile, and what has a mistaken name. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type BucketContext, findBeginning, listObjects, type StoredObject } from '../../lib/aws/s3.ts';
import { likely } from '../../lib/core/nearest.ts';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import type { PhotoSource } from '../../lib/inspection/source.ts';

/** @param prefix - ends in `/`: `a/b` would also match `a/bc.jpg` */
export async function listPhotos(context: BucketContext, prefix: string): Promise<StoredObject[]> {
  const objects = await listObjects(context, prefix);
  // The console makes such empty objects to show a folder.
  return objects.filter(({ key, size }) => !(key.endsWith('/') && size === 0));
}

/**
 * Lists the photos once there are as many files as a run needs photos, or after some seconds: nothing says that they
 * are uploaded before their request.
 */
export async function awaitPhotos(
  context: BucketContext,
  prefix: string,
  seconds: number,
): Promise<StoredObject[]> {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    const photos = await listPhotos(context, prefix);
    if (photos.length >= PHOTO_LIMITS.minPhotos || Date.now() >= until) return photos;
    await sleep(Math.min(2000, seconds * 250));
  }
}

/** The objects that were added, replaced or removed between two listings. */
export function changesOf(before: readonly StoredObject[], after: readonly StoredObject[]): string[] {
  const content = (objects: readonly StoredObject[]) =>
    new Map(objects.map(({ key, etag, size, written }) => [key, `${etag} ${size} ${written}`]));
  const [then, now] = [content(before), content(after)];
  return [...new Set([...then.keys(), ...now.keys()])].filter((key) => then.get(key) !== now.get(key));
}

export function sourcesOf(
  context: BucketContext,
  prefix: string,
  photos: readonly StoredObject[],
): PhotoSource[] {
  return photos.map(({ key, size }) => ({
    file: key.slice(prefix.length),
    bytes: size,
    read: () => readPhoto(context, key),
  }));
}

/** Reads at most the largest allowed photo: a larger file may have replaced it since it was listed. */
async function readPhoto(
  context: BucketContext,
  key: string,
): Promise<Uint8Array | { readonly unreadable: string }> {
  const found = await findBeginning(context, key, PHOTO_LIMITS.maxBytes);
  if (found === undefined) return { unreadable: 'it was removed while the photos were inspected' };
  const { content, size } = found;
  if (size <= PHOTO_LIMITS.maxBytes) return content;
  return { unreadable: `it was replaced by a file of ${size} bytes while the photos were inspected` };
}

/** A folder next to an empty one of photos that was probably meant. @returns undefined if there is none */
export async function mistakenPhotos(context: BucketContext, prefix: string): Promise<string | undefined> {
  const parent = prefix.slice(0, prefix.lastIndexOf('/', prefix.length - 2) + 1);
  const meant = prefix.slice(parent.length, -1);
  const others = (await listObjects(context, parent))
    .filter(({ key, size }) => !key.startsWith(prefix) && size > 0)
    .flatMap(({ key }) => /^([^/]+)\//.exec(key.slice(parent.length))?.[1] ?? []);
  const found = [...new Set(others)].find((name) => likely(name, [meant]) !== undefined);
  return found === undefined ? undefined : `${parent}${found}/`;
}
