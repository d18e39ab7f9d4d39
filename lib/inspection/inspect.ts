/**
 * Inspects the photos of a run: reads each one within the limits, measures it, and creates the references. The caller
 * supplies the photos and stores the references, so the lambda and `proxytune check` share the code.
 */
import sharp from 'sharp';
import type { CaptionSubject } from '../core/photos/captions.ts';
import { type CompanionKind, companionOf, photosWith } from '../core/photos/companions.ts';
import { PHOTO_LIMITS, type PhotoLimits } from '../core/photos/limits.ts';
import { type Assessment, assessPhotos, byName, withCompanions } from '../core/photos/photos.ts';
import { captionName, maskName, referenceName } from '../core/photos/references.ts';
import { isIgnored, isIgnoredName, judgePhoto, type PhotoFacts } from '../core/photos/rules.ts';
import { type Caption, type CaptionSource, inspectCaptions } from './captions.ts';
import type { Pixels } from './decode.ts';
import { examine, hash } from './examine.ts';
import { inspectMasks, type Mask, type MaskSource } from './masks.ts';
import type { PhotoSource } from './source.ts';

/** A photo prepared for the later stages. */
export interface Reference {
  /** `reference-00.png` and so on, in the name order of the photos. */
  readonly name: string;
  /** The photo it was made from. */
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  /** The text that the teacher reads for it, with the token word in place. @default - the prompt of all photos */
  readonly caption?: { readonly name: string; readonly file: string; readonly prompt: string };
  /** Where it shows the subject, as the user says. @default - not given */
  readonly mask?: { readonly name: string; readonly file: string };
}

export interface Inspection extends Assessment {
  readonly references: readonly Reference[];
  /** SHA-256 of each file that was read, by file name. */
  readonly originals: Readonly<Record<string, string>>;
}

export interface InspectOptions {
  /** @default - PHOTO_LIMITS */
  readonly limits?: PhotoLimits;
  /** Called with each reference, and with each caption and mask of one. @default - no references are created */
  readonly writeReference?: (name: string, content: Buffer, contentType: string) => Promise<void>;
  /** The subject of the captions. @default - not known: they are judged without it, and no reference has one */
  readonly subject?: CaptionSubject;
  /** Called before each photo is read, for progress. @default - none */
  readonly onPhoto?: (file: string, index: number, total: number) => void;
}

/**
 * Inspects all photos one after the other, in name order, and then the files next to them.
 *
 * References are written while photos are read, before the complete set is assessed: if the result is `refused`, the
 * caller must remove them.
 */
export async function inspectPhotos(
  sources: readonly PhotoSource[],
  options: InspectOptions = {},
): Promise<Inspection> {
  const { limits = PHOTO_LIMITS, writeReference, onPhoto } = options;
  const sorted = [...sources].sort(byName);
  const candidates = sorted.filter(({ file }) => !isIgnoredName(file));
  const companions = candidates.filter(({ file }) => companionOf(file) !== undefined);
  const photos = candidates.filter((source) => !companions.includes(source));
  const inspected = photos.slice(0, limits.maxInspected);
  const facts: PhotoFacts[] = sorted
    .filter((source) => !candidates.includes(source))
    .map(({ file, bytes }) => ({ file, bytes }));
  const references: Reference[] = [];
  const originals: Record<string, string> = {};
  const sizes = new Map<string, Pixels['original']>();
  for (const [index, source] of inspected.entries()) {
    onPhoto?.(source.file, index, inspected.length);
    const { facts: known, pixels, sha256 } = await examine(source, limits);
    facts.push(known);
    if (sha256 !== undefined) originals[source.file] = sha256;
    if (pixels !== undefined) sizes.set(source.file, pixels.original);
    if (pixels === undefined || writeReference === undefined || !isUsable(known, limits)) continue;
    const name = referenceName(references.length);
    const png = await encode(pixels);
    await writeReference(name, png, 'image/png');
    const { width, height } = pixels;
    references.push({ name, file: source.file, width, height, sha256: hash(png) });
  }
  const total = facts.length + photos.length - inspected.length;
  const assessment = assessPhotos(facts.sort(byName), total, limits);
  const notPhotos = new Set(
    assessment.photos.filter(({ verdict }) => verdict === 'ignore').map(({ file }) => file),
  );
  const named = photos.map(({ file }) => file).filter((file) => !notPhotos.has(file));
  const ofKind = (kind: CompanionKind) => companions.filter(({ file }) => companionOf(file)?.kind === kind);
  const seen = (kind: CompanionKind) => ofKind(kind).slice(0, limits.maxInspected);
  const { verdicts, captions } = await inspectCaptions(
    seen('caption').flatMap((source) => captionSources(source, named)),
    options.subject,
    limits,
  );
  const masked = await inspectMasks(
    seen('mask').flatMap((source) => maskSources(source, named, sizes)),
    (source) => examine(source, limits),
    limits,
  );
  const judged = [...verdicts, ...masked.verdicts].sort(byName);
  return {
    ...withCompanions(assessment, judged, Math.max(ofKind('caption').length, ofKind('mask').length), limits),
    references: await withMasks(await captioned(references, captions, options), masked.masks, options),
    originals,
  };
}

function maskSources(
  source: PhotoSource,
  photos: readonly string[],
  sizes: ReadonlyMap<string, Pixels['original']>,
): MaskSource[] {
  const companion = companionOf(source.file);
  if (companion?.kind !== 'mask') return [];
  return [{ source, photos: photosWith(companion, photos).map((file) => ({ file, size: sizes.get(file) })) }];
}

/** Writes each reference's mask next to it. */
async function withMasks(
  references: readonly Reference[],
  masks: readonly Mask[],
  { writeReference }: InspectOptions,
): Promise<Reference[]> {
  const all: Reference[] = [];
  for (const reference of references) {
    const mask = masks.find(({ photos }) => photos.includes(reference.file));
    if (mask === undefined) {
      all.push(reference);
      continue;
    }
    const name = maskName(reference.name);
    await writeReference?.(name, mask.png, 'image/png');
    all.push({ ...reference, mask: { name, file: mask.file } });
  }
  return all;
}

function captionSources(source: PhotoSource, photos: readonly string[]): CaptionSource[] {
  const companion = companionOf(source.file);
  return companion?.kind === 'caption' ? [{ source, photos: photosWith(companion, photos) }] : [];
}

/** Writes each reference's caption next to it. */
async function captioned(
  references: readonly Reference[],
  captions: readonly Caption[],
  { writeReference }: InspectOptions,
): Promise<Reference[]> {
  const all: Reference[] = [];
  for (const reference of references) {
    const caption = captions.find(({ photos }) => photos.includes(reference.file));
    if (caption === undefined) {
      all.push(reference);
      continue;
    }
    const { file, prompt } = caption;
    const name = captionName(reference.name);
    await writeReference?.(name, Buffer.from(`${prompt}\n`), 'text/plain; charset=utf-8');
    all.push({ ...reference, caption: { name, file, prompt } });
  }
  return all;
}

function isUsable(known: PhotoFacts, limits: PhotoLimits): boolean {
  return !isIgnored(known) && judgePhoto(known, limits).every(({ severity }) => severity === 'warning');
}

/** Encodes raw pixels as a PNG, which therefore has no metadata such as location, camera or profile. */
async function encode({ data, width, height }: Pixels): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 6 })
    .toBuffer();
}
