/** Reads the masks next to photos, and makes them masks of the references. */
import sharp from 'sharp';
import type { PhotoLimits } from '../core/photos/limits.ts';
import { judgeMask, type MaskFacts } from '../core/photos/masks.ts';
import { type PhotoVerdict, verdictOf } from '../core/photos/photos.ts';
import type { Pixels } from './decode.ts';
import type { Examination } from './examine.ts';
import type { PhotoSource } from './source.ts';

/** A file that has the name of a mask, with the photos of that name. */
export interface MaskSource {
  readonly source: PhotoSource;
  readonly photos: MaskFacts['photos'];
}

/** A usable mask. */
export interface Mask {
  readonly file: string;
  readonly photos: readonly string[];
  /** A grey PNG of the reference's size, of 0 and 255 only. */
  readonly png: Buffer;
}

export interface InspectedMasks {
  /** One entry a file, in the order given. */
  readonly verdicts: readonly PhotoVerdict[];
  readonly masks: readonly Mask[];
}

/** Reads and judges masks. @param examine - reads a file as photos are read, within the same limits */
export async function inspectMasks(
  sources: readonly MaskSource[],
  examine: (source: PhotoSource) => Promise<Examination>,
  limits: PhotoLimits,
): Promise<InspectedMasks> {
  const verdicts: PhotoVerdict[] = [];
  const masks: Mask[] = [];
  for (const { source, photos } of sources) {
    const { facts: image, pixels } = photos.length > 0 ? await examine(source) : { facts: named(source) };
    const white = pixels && whiteOf(pixels);
    const decoded = pixels && white && { size: pixels.original, subject: shareOf(white) };
    const findings = judgeMask({ image, photos, ...decoded }, limits);
    verdicts.push({ file: source.file, verdict: verdictOf(findings), findings });
    if (findings.length > 0 || pixels === undefined || white === undefined) continue;
    masks.push({
      file: source.file,
      photos: photos.map(({ file }) => file),
      png: await encode(white, pixels),
    });
  }
  return { verdicts, masks };
}

function named({ file, bytes }: PhotoSource) {
  return { file, bytes };
}

/** 255 for each pixel that is nearer to white than to black, else 0. */
function whiteOf({ data }: Pixels): Buffer {
  const white = Buffer.alloc(data.length / 3);
  for (let at = 0; at < white.length; at += 1) {
    const sum = (data[3 * at] ?? 0) + (data[3 * at + 1] ?? 0) + (data[3 * at + 2] ?? 0);
    white[at] = sum >= 3 * 128 ? 255 : 0;
  }
  return white;
}

function shareOf(white: Buffer): number {
  return white.reduce((count, value) => count + Math.sign(value), 0) / white.length;
}

async function encode(white: Buffer, { width, height }: Pixels): Promise<Buffer> {
  return sharp(white, { raw: { width, height, channels: 1 } })
    .png({ compressionLevel: 6 })
    .toBuffer();
}
