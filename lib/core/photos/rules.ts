/** The rules that judge one photo by facts measured elsewhere. Pure: no decoder, no files. */
import { PHOTO_FORMATS, type PhotoLimits } from './limits.ts';
import { type Tones, toneFault, toneGain } from './tones.ts';

export const FINDING_CODES = [
  'unreadable',
  'empty-file',
  'too-many-bytes',
  'not-an-image',
  'unsupported-format',
  'too-many-pixels',
  'too-small',
  'too-elongated',
  'truncated',
  'damaged',
  'too-slow',
  'blank',
  'soft',
  'elongated',
  'animated',
  'mostly-transparent',
  'dark',
  'overexposed',
  'low-contrast',
  'blurred',
  'same-picture',
  'repeated-picture',
  'too-few-photos',
  'too-few-distinct',
  'too-many-photos',
  'caption-without-photo',
  'caption-not-utf8',
  'caption-empty',
  'caption-too-long',
  'caption-long',
  'caption-characters',
  'caption-without-subject',
  'caption-unknown-words',
  'mask-without-photo',
  'mask-unusable',
  'mask-wrong-size',
  'mask-empty',
  'mask-everything',
  'too-many-companions',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** Something to say about a photo, or about all of them when `file` is `WHOLE_SET`. */
export interface Finding {
  readonly code: FindingCode;
  /** A blocker refuses the run; a warning does not. */
  readonly severity: 'blocker' | 'warning';
  readonly file: string;
  /** The fault, the value that was given, and what is allowed. */
  readonly message: string;
  /** The next step for the user. */
  readonly remedy: string;
}

export type FailureKind = 'unreadable' | 'truncated' | 'damaged' | 'slow';

/** Measurements of a photo's decoded pixels. */
export interface PixelFacts {
  /** Upright size in pixels, before any shrinking. */
  readonly width: number;
  readonly height: number;
  /** Largest standard deviation among the colour channels, 0..255. */
  readonly contrast: number;
  /**
   * Variance of the Laplacian in the sharpest twentieth of 32-pixel blocks, at 512 pixels on the longer side: the
   * sharpest blocks, because a subject in focus before a soft background is a good photo.
   */
  readonly sharpness: number;
  readonly tones: Tones;
  /** Share of the area that is opaque, 0..1. */
  readonly opaque: number;
  /** 32 x 32 sRGB pixels of the upright picture, three bytes each. */
  readonly thumbnail: Uint8Array;
}

/** The facts about one file. Later members are missing when an earlier one already decides. */
export interface PhotoFacts {
  readonly file: string;
  readonly bytes: number;
  /** Format by content. @default - the content is not an image of a known format */
  readonly format?: string;
  /** From the header, before decoding. @default - the header was not read */
  readonly header?: { readonly width: number; readonly height: number; readonly frames: number };
  /** Why reading or decoding ended early. @default - it did not */
  readonly failure?: { readonly kind: FailureKind; readonly detail: string };
  /** @default - not decoded */
  readonly pixels?: PixelFacts;
}

const SYSTEM_NAMES = new Set(['thumbs.db', 'ehthumbs.db', 'desktop.ini', 'subject.json']);
const SYSTEM_FOLDERS = new Set(['__MACOSX', '@eaDir']);
/**
 * Text that cameras, phones and people put next to photos; ignored unless its content is an image after all. Those that
 * belong to a photo, such as its caption, are recognised before (companions.ts).
 */
const SIDECAR = /\.(json|md|csv|xmp|aae|ya?ml)$/i;

/** True of a file whose name alone says that it is not one of the user's photos: it is neither read nor counted. */
export function isIgnoredName(file: string): boolean {
  const parts = file.split('/');
  const base = parts.at(-1) ?? '';
  const hidden = parts.some((part) => part.startsWith('.') || SYSTEM_FOLDERS.has(part));
  return hidden || SYSTEM_NAMES.has(base.toLowerCase());
}

/** True of a file whose name and content together say that it is not one of the user's photos. */
export function isIgnored(facts: PhotoFacts): boolean {
  return isIgnoredName(facts.file) || (facts.format === undefined && SIDECAR.test(facts.file));
}

/** Blockers that need no pixel: what they refuse is never decoded. */
export function judgeHeader(facts: PhotoFacts, limits: PhotoLimits): Finding[] {
  const block = findingOf(facts.file, 'blocker');
  if (facts.failure?.kind === 'unreadable') {
    return [
      block('unreadable', `cannot be read (${facts.failure.detail})`, 'Allow reading it, or remove it.'),
    ];
  }
  if (facts.bytes > limits.maxBytes) {
    const message = `has ${mebibytes(facts.bytes)}, allowed are ${mebibytes(limits.maxBytes)}`;
    return [block('too-many-bytes', message, 'Export it as JPEG.')];
  }
  if (facts.bytes === 0) {
    return [block('empty-file', 'is an empty file', 'Copy the photo again, or remove it.')];
  }
  if (facts.format === undefined) {
    const message = `is not an image, whatever its name says; allowed are ${PHOTO_FORMATS.join(', ')}`;
    return [block('not-an-image', message, 'Remove it, or export the photo again.')];
  }
  if (!(PHOTO_FORMATS as readonly string[]).includes(facts.format)) {
    const message = `is of the unsupported format ${facts.format}; allowed are ${PHOTO_FORMATS.join(', ')}`;
    return [block('unsupported-format', message, 'Export it as JPEG or PNG.')];
  }
  return facts.header === undefined ? [] : judgeSize(facts.file, facts.header, limits);
}

/** Every finding about one photo by itself. */
export function judgePhoto(facts: PhotoFacts, limits: PhotoLimits): Finding[] {
  const blockers = judgeHeader(facts, limits);
  if (blockers.length > 0) return blockers;
  if (facts.failure !== undefined) return [failureFinding(facts.file, facts.failure, limits)];
  return facts.pixels === undefined ? [] : judgePixels(facts, facts.pixels, limits);
}

function judgeSize(file: string, size: { width: number; height: number }, limits: PhotoLimits): Finding[] {
  const block = findingOf(file, 'blocker');
  const { width, height } = size;
  const given = `${width} x ${height} pixels`;
  const found: Finding[] = [];
  if (width * height > limits.maxPixels) {
    const message = `has ${given}, ${millions(width * height)} million; allowed are ${millions(limits.maxPixels)} million`;
    found.push(block('too-many-pixels', message, 'Shrink it to at most 8000 pixels on the longer side.'));
  }
  if (Math.min(width, height) < limits.minSide) {
    const message = `has ${given}; the shorter side must be at least ${limits.minSide}`;
    found.push(block('too-small', message, 'Use the original photo, not a preview or thumbnail of it.'));
  }
  if (aspect(size) > limits.maxAspect) {
    const message = `has ${given}, ${aspect(size).toFixed(1)} to 1; at most ${limits.maxAspect} to 1 is allowed`;
    found.push(block('too-elongated', message, 'Crop it to the subject, about square.'));
  }
  return found;
}

function failureFinding(
  file: string,
  failure: { kind: FailureKind; detail: string },
  limits: PhotoLimits,
): Finding {
  const block = findingOf(file, 'blocker');
  const again = 'Copy or export the photo again; it may open in viewers that fill the gap with grey.';
  if (failure.kind === 'truncated') {
    return block(
      'truncated',
      `is truncated: the file ends before the picture does (${failure.detail})`,
      again,
    );
  }
  if (failure.kind === 'slow') {
    const message = `could not be decoded within ${limits.secondsPerPhoto} seconds`;
    return block('too-slow', message, 'Export it as JPEG.');
  }
  return block('damaged', `is damaged: it cannot be decoded (${failure.detail})`, again);
}

function judgePixels(facts: PhotoFacts, pixels: PixelFacts, limits: PhotoLimits): Finding[] {
  const { file } = facts;
  if (pixels.contrast < limits.flatContrast) {
    const message = `shows one flat colour: contrast ${pixels.contrast.toFixed(1)}, at least ${limits.flatContrast} is needed`;
    return [findingOf(file, 'blocker')('blank', message, 'Remove it; nothing can be learned from it.')];
  }
  const warn = findingOf(file, 'warning');
  const found: Finding[] = [];
  const frames = facts.header?.frames ?? 1;
  const side = Math.min(pixels.width, pixels.height);
  if (frames > 1) {
    const message = `holds ${frames} pictures; only the first is used`;
    found.push(warn('animated', message, 'Export the one picture you want as JPEG.'));
  }
  if (side < limits.softSide) {
    const message = `has ${pixels.width} x ${pixels.height} pixels; below ${limits.softSide} on the shorter side it is enlarged and soft`;
    found.push(warn('soft', message, 'Use a larger photo when there is one.'));
  }
  if (aspect(pixels) > limits.softAspect) {
    const message = `is ${aspect(pixels).toFixed(1)} to 1; training crops squares, so more than half of it is lost`;
    found.push(warn('elongated', message, 'Crop it to the subject, about square.'));
  }
  if (pixels.opaque < limits.minOpaque) {
    const message = `is transparent on ${percent(1 - pixels.opaque)} of its area, which becomes white`;
    found.push(warn('mostly-transparent', message, 'Crop it to the subject.'));
  }
  const light = toneFault(pixels.tones, limits);
  if (light !== undefined) found.push(warn(...light));
  const sharpness = pixels.sharpness * toneGain(pixels.tones, limits);
  if (sharpness < limits.minSharpness) {
    const message = `is blurred: sharpness ${sharpness.toFixed(0)}, sharp photos have ${limits.minSharpness} and more`;
    found.push(warn('blurred', message, 'Use a sharper photo when there is one; the model learns the blur.'));
  }
  return found;
}

/** Makes findings about one file, each message beginning with what it is about. */
export function findingOf(
  file: string,
  severity: Finding['severity'],
): (code: FindingCode, message: string, remedy: string) => Finding {
  return (code, message, remedy) => ({ code, severity, file, message, remedy });
}

function aspect({ width, height }: { width: number; height: number }): number {
  return Math.max(width, height) / Math.min(width, height);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function millions(count: number): string {
  return (count / 1e6).toFixed(0);
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
