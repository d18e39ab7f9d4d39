/** Reads the captions next to photos, each within its limit. */
import {
  type CaptionFacts,
  type CaptionSubject,
  captionLine,
  captionPrompt,
  judgeCaption,
  mostCaptionBytes,
} from '../core/photos/captions.ts';
import type { PhotoLimits } from '../core/photos/limits.ts';
import { type PhotoVerdict, verdictOf } from '../core/photos/photos.ts';
import { sniffFormat } from './format.ts';
import type { PhotoSource } from './source.ts';

/** A file that has the name of a caption, with the photos of that name. */
export interface CaptionSource {
  readonly source: PhotoSource;
  readonly photos: readonly string[];
}

/** A caption as the teacher reads it. */
export interface Caption {
  readonly file: string;
  readonly photos: readonly string[];
  /** The token word in place. */
  readonly prompt: string;
}

export interface InspectedCaptions {
  /** One entry a file, in the order given. */
  readonly verdicts: readonly PhotoVerdict[];
  /** Usable ones. @default - empty, where the subject is not known */
  readonly captions: readonly Caption[];
}

/** Reads and judges captions. @param subject - undefined where it is not known: then none is usable yet */
export async function inspectCaptions(
  sources: readonly CaptionSource[],
  subject: CaptionSubject | undefined,
  limits: PhotoLimits,
): Promise<InspectedCaptions> {
  const verdicts: PhotoVerdict[] = [];
  const captions: Caption[] = [];
  for (const { source, photos } of sources) {
    const facts = await examine(source, photos, limits);
    const findings = judgeCaption(facts, subject, limits);
    const verdict = verdictOf(findings);
    verdicts.push({ file: source.file, verdict, findings });
    const prompt = subject && facts.text !== undefined ? captionPrompt(facts.text, subject) : undefined;
    if (verdict !== 'reject' && prompt !== undefined) captions.push({ file: source.file, photos, prompt });
  }
  return { verdicts, captions };
}

async function examine(
  { file, bytes, read }: PhotoSource,
  photos: readonly string[],
  limits: PhotoLimits,
): Promise<CaptionFacts> {
  const facts: CaptionFacts = { file, bytes, photos };
  if (photos.length === 0 || bytes > mostCaptionBytes(limits)) return facts;
  const content = await read();
  if ('unreadable' in content) {
    return { ...facts, failure: { kind: 'unreadable', detail: content.unreadable } };
  }
  // It may have been replaced since it was listed.
  const known = { ...facts, bytes: content.length };
  if (content.length > mostCaptionBytes(limits)) return known;
  const text = decoded(content);
  if (text !== undefined) return { ...known, text: captionLine(text) };
  const format = sniffFormat(content);
  const detail =
    format === undefined ? 'its bytes are not valid UTF-8' : `it is an image of the format ${format}`;
  return { ...known, failure: { kind: 'not-utf8', detail } };
}

function decoded(content: Uint8Array): string | undefined {
  try {
    // Editors on Windows put a byte order mark first, which this removes.
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}
