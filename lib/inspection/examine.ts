/** Reads one file as a photo: no more of it than is needed to judge it. */
import { createHash } from 'node:crypto';
import type { PhotoLimits } from '../core/photos/limits.ts';
import { judgeHeader, type PhotoFacts } from '../core/photos/rules.ts';
import { DecodingFailed, decodePhoto, type Pixels, readHeader } from './decode.ts';
import { sniffFormat } from './format.ts';
import { measure } from './measure.ts';
import type { PhotoSource } from './source.ts';

export interface Examination {
  readonly facts: PhotoFacts;
  readonly pixels?: Pixels;
  readonly sha256?: string;
}

/** Reads only as much of a file as is needed to assess it; the cheapest checks come first. */
export async function examine(source: PhotoSource, limits: PhotoLimits): Promise<Examination> {
  let facts: PhotoFacts = { file: source.file, bytes: source.bytes };
  if (source.bytes > limits.maxBytes) return { facts };
  const content = await source.read();
  if ('unreadable' in content) {
    return { facts: { ...facts, failure: { kind: 'unreadable', detail: content.unreadable } } };
  }
  const sha256 = hash(content);
  const format = sniffFormat(content);
  facts = { ...facts, bytes: content.length, ...(format === undefined ? {} : { format }) };
  if (format === undefined || judgeHeader(facts, limits).length > 0) return { facts, sha256 };
  try {
    const header = await readHeader(content, format);
    const { width, height, frames } = header;
    facts = { ...facts, format: header.format, header: { width, height, frames } };
    if (judgeHeader(facts, limits).length > 0) return { facts, sha256 };
    const pixels = await decodePhoto(content, header, limits);
    return { facts: { ...facts, pixels: await measure(pixels) }, pixels, sha256 };
  } catch (error) {
    if (!(error instanceof DecodingFailed)) throw error;
    return { facts: { ...facts, failure: { kind: error.kind, detail: error.message } }, sha256 };
  }
}

export function hash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
