/** Decodes a file to its header, and to upright, opaque sRGB pixels no larger than a reference. */
import sharp, { type Metadata, type Sharp } from 'sharp';
import type { PhotoLimits } from '../core/photos/limits.ts';
import type { FailureKind } from '../core/photos/rules.ts';
import { DecoderTooSlow, decodeHeic } from './heic.ts';
import { withProfile } from './profile.ts';

// One photo at a time in one thread: this limits memory to one photo, and a Lambda has about one CPU anyway.
sharp.concurrency(1);
// Every photo is read once; a cache would only waste memory.
sharp.cache(false);

export interface Header {
  /** `heic` and `avif` are distinguished by their compression. */
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly metadata: Metadata;
}

/** An upright, opaque sRGB picture, three bytes a pixel, the longer side at most `referenceSide`. */
export interface Pixels {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
  /** Upright size before shrinking. */
  readonly original: { readonly width: number; readonly height: number };
  /** Share of opaque area in the original, 0..1. */
  readonly opaque: number;
}

/** Why a photo could not be decoded. */
export class DecodingFailed extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, detail: string, cause?: unknown) {
    super(detail, { cause });
    this.kind = kind;
  }
}

/**
 * Reads size and number of frames without decoding.
 *
 * @param format as detected from the first bytes
 * @throws DecodingFailed when the header is broken
 */
export async function readHeader(content: Uint8Array, format: string): Promise<Header> {
  try {
    // No pixel limit here: the size of an oversized image must be read and reported, not hidden by an error.
    const metadata = await sharp(content, { limitInputPixels: false }).metadata();
    const { width, height, pages = 1 } = metadata;
    return { format: formatOf(format, metadata), width, height, frames: pages, metadata };
  } catch (error) {
    throw asFailure(error);
  }
}

/** Decodes a photo whose header is within the limits. @throws DecodingFailed */
export async function decodePhoto(content: Uint8Array, header: Header, limits: PhotoLimits): Promise<Pixels> {
  try {
    return header.format === 'heic'
      ? await decodeThroughWasm(content, header, limits)
      : await decodeWithSharp(content, header, limits);
  } catch (error) {
    throw asFailure(error);
  }
}

/** HEIC and AVIF share container and brands; only the compression is reliable. */
function formatOf(format: string, { format: read, compression }: Metadata): string {
  if (read !== 'heif') return format;
  return compression === 'av1' ? 'avif' : 'heic';
}

async function decodeWithSharp(content: Uint8Array, header: Header, limits: PhotoLimits): Promise<Pixels> {
  // 'error', not the default 'warning': phones write harmless oddities that every viewer ignores. Truncated and
  // broken files still fail.
  const open = (): Sharp => sharp(content, { failOn: 'error', limitInputPixels: limits.maxPixels });
  const { width = header.width, height = header.height } = header.metadata.autoOrient;
  const opaque = header.metadata.hasAlpha ? await opaqueShare(open(), limits) : 1;
  return { ...(await toReferenceSize(open().autoOrient(), limits)), original: { width, height }, opaque };
}

async function decodeThroughWasm(content: Uint8Array, header: Header, limits: PhotoLimits): Promise<Pixels> {
  const picture = await decodeHeic(content, {
    index: header.metadata.pagePrimary ?? 0,
    maxPixels: limits.maxPixels,
    seconds: limits.secondsPerPhoto,
  });
  const { width, height, data } = picture;
  const raw = (): Sharp => sharp(data, { raw: { width, height, channels: 4 } });
  const opaque = header.metadata.hasAlpha ? await opaqueShare(raw(), limits) : 1;
  const icc = header.metadata.icc;
  const upright =
    icc !== undefined && isRgbProfile(icc)
      ? sharp(withProfile(await raw().png({ compressionLevel: 0 }).toBuffer(), icc))
      : raw();
  return { ...(await toReferenceSize(upright, limits)), original: { width, height }, opaque };
}

/** The profile header names the colour space of the pixels it is meant for at byte 16. */
function isRgbProfile(icc: Buffer): boolean {
  return icc.toString('latin1', 16, 20) === 'RGB ';
}

async function toReferenceSize(
  upright: Sharp,
  limits: PhotoLimits,
): Promise<{ data: Buffer; width: number; height: number }> {
  const side = limits.referenceSide;
  const { data, info } = await upright
    // Before shrinking, so that colours hidden under transparency do not bleed.
    .flatten({ background: '#ffffff' })
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .removeAlpha()
    .raw({ depth: 'uchar' })
    // Checked between blocks of pixels. WebP and AVIF are loaded in one block, but the pixel limit bounds that: 42
    // megapixels took 4.5 s (measured); libvips rejects JPEGs with a suspicious number of scans.
    .timeout({ seconds: limits.secondsPerPhoto })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`${info.channels} colour channels instead of the 3 of sRGB`);
  return { data, width: info.width, height: info.height };
}

/** The share of opaque area, measured on a small copy. */
async function opaqueShare(picture: Sharp, limits: PhotoLimits): Promise<number> {
  const alpha = await picture
    .resize(256, 256, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .extractChannel('alpha')
    .raw({ depth: 'uchar' })
    .timeout({ seconds: limits.secondsPerPhoto })
    .toBuffer();
  return alpha.reduce((sum, value) => sum + value, 0) / (255 * alpha.length);
}

/** The decoders' messages for a truncated file. */
const TRUNCATED =
  /premature end|unexpected end|end of file|outside of file bounds|unable to parse image|read error|out of order read/i;

function asFailure(error: unknown): DecodingFailed {
  if (error instanceof DecodingFailed) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof DecoderTooSlow || /\btimeout: \d+% complete/.test(message)) {
    return new DecodingFailed('slow', message, error);
  }
  const detail = message.split('\n')[0]?.trim() || 'no reason given';
  return new DecodingFailed(TRUNCATED.test(message) ? 'truncated' : 'damaged', detail, error);
}
