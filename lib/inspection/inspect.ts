/**
 * Inspects the photos of a run: reads each one under the limits, measures it, and hands out the references. Where the
 * photos come from and where references go is the caller's business, so the lambda and `proxytune check` share it all.
 */
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { PHOTO_LIMITS, type PhotoLimits } from '../core/photos/limits.ts';
import { type Assessment, assessPhotos, byName } from '../core/photos/photos.ts';
import { isIgnored, isIgnoredName, judgeHeader, judgePhoto, type PhotoFacts } from '../core/photos/rules.ts';
import { DecodingFailed, decodePhoto, type Pixels, readHeader } from './decode.ts';
import { sniffFormat } from './format.ts';
import { measure } from './measure.ts';

/** A file that may be a photo. */
export interface PhotoSource {
  /** Its path below the inspected folder or prefix, parts joined by `/`. */
  readonly file: string;
  readonly bytes: number;
  /** Its content, or why it cannot be read. Errors that another try may mend are thrown. */
  read(): Promise<Uint8Array | { readonly unreadable: string }>;
}

/** A photo made ready for every later stage. */
export interface Reference {
  /** `reference-00.png` and so on, in the name order of the photos. */
  readonly name: string;
  /** The photo it was made from. */
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
}

export interface Inspection extends Assessment {
  readonly references: readonly Reference[];
  /** SHA-256 of each file that was read, by file name. */
  readonly originals: Readonly<Record<string, string>>;
}

export interface InspectOptions {
  /** @default - PHOTO_LIMITS */
  readonly limits?: PhotoLimits;
  /** Takes each reference as it is made. @default - no references are made */
  readonly writeReference?: (name: string, png: Buffer) => Promise<void>;
  /** Told before each photo is read, for progress. @default - nobody is told */
  readonly onPhoto?: (file: string, index: number, total: number) => void;
}

/**
 * Inspects all photos one after the other, in name order.
 *
 * References are written while photos are read, before the set as a whole is judged: when the result says `refused`,
 * the caller must remove them again.
 */
export async function inspectPhotos(
  sources: readonly PhotoSource[],
  options: InspectOptions = {},
): Promise<Inspection> {
  const { limits = PHOTO_LIMITS, writeReference, onPhoto } = options;
  const sorted = [...sources].sort(byName);
  const candidates = sorted.filter(({ file }) => !isIgnoredName(file));
  const inspected = candidates.slice(0, limits.maxInspected);
  const facts: PhotoFacts[] = sorted
    .filter((source) => !candidates.includes(source))
    .map(({ file, bytes }) => ({ file, bytes }));
  const references: Reference[] = [];
  const originals: Record<string, string> = {};
  for (const [index, source] of inspected.entries()) {
    onPhoto?.(source.file, index, inspected.length);
    const { known, pixels, sha256 } = await look(source, limits);
    facts.push(known);
    if (sha256 !== undefined) originals[source.file] = sha256;
    if (pixels === undefined || writeReference === undefined || !isUsable(known, limits)) continue;
    const name = `reference-${String(references.length).padStart(2, '0')}.png`;
    const png = await encode(pixels);
    await writeReference(name, png);
    const { width, height } = pixels;
    references.push({ name, file: source.file, width, height, sha256: hash(png) });
  }
  const total = facts.length + candidates.length - inspected.length;
  return { ...assessPhotos(facts.sort(byName), total, limits), references, originals };
}

function isUsable(known: PhotoFacts, limits: PhotoLimits): boolean {
  return !isIgnored(known) && judgePhoto(known, limits).every(({ severity }) => severity === 'warning');
}

interface Look {
  readonly known: PhotoFacts;
  readonly pixels?: Pixels;
  readonly sha256?: string;
}

/** Learns about one file as much as is needed to judge it, and not a byte more: the cheapest blocker comes first. */
async function look(source: PhotoSource, limits: PhotoLimits): Promise<Look> {
  let known: PhotoFacts = { file: source.file, bytes: source.bytes };
  if (source.bytes > limits.maxBytes) return { known };
  const content = await source.read();
  if ('unreadable' in content) {
    return { known: { ...known, failure: { kind: 'unreadable', detail: content.unreadable } } };
  }
  const sha256 = hash(content);
  const format = sniffFormat(content);
  known = { ...known, bytes: content.length, ...(format === undefined ? {} : { format }) };
  if (format === undefined || judgeHeader(known, limits).length > 0) return { known, sha256 };
  try {
    const header = await readHeader(content, format);
    const { width, height, frames } = header;
    known = { ...known, format: header.format, header: { width, height, frames } };
    if (judgeHeader(known, limits).length > 0) return { known, sha256 };
    const pixels = await decodePhoto(content, header, limits);
    return { known: { ...known, pixels: await measure(pixels) }, pixels, sha256 };
  } catch (error) {
    if (!(error instanceof DecodingFailed)) throw error;
    return { known: { ...known, failure: { kind: error.kind, detail: error.message } }, sha256 };
  }
}

/** A PNG of nothing but pixels: made from raw ones, it has no place, camera or profile to give away. */
async function encode({ data, width, height }: Pixels): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 6 })
    .toBuffer();
}

function hash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
