/**
 * The caption of a photo: the teacher's prompt for this photo, in place of the one that all photos share.
 * The token word is put in here, so that the report and the teacher read the same text. Pure: no files.
 */
import { TOKEN_PLACE } from '../jobs/generation-prompt.ts';
import type { PhotoLimits } from './limits.ts';
import { printable } from './photos.ts';
import { type Finding, type FindingCode, findingOf } from './rules.ts';

/** Stands for the subject, the token word and the category, in a caption. */
export const SUBJECT_PLACEHOLDER = '{subject}';

/** The subject of captions, as a request names it. */
export interface CaptionSubject {
  readonly category: string;
  readonly tokenWord: string;
  /** The only words that the models know; null when any will do. */
  readonly vocabulary: readonly string[] | null;
}

/** The facts about one caption. Later members are missing when an earlier one already decides. */
export interface CaptionFacts {
  readonly file: string;
  readonly bytes: number;
  /** Photos that it belongs to. */
  readonly photos: readonly string[];
  /** Why it cannot be read. @default - it can */
  readonly failure?: { readonly kind: 'unreadable' | 'not-utf8'; readonly detail: string };
  /** Its text, on one line. @default - not read */
  readonly text?: string;
}

/**
 * Characters that no caption needs: what is invisible or changes the direction of writing, and the signs that tokenizers
 * read as commands, such as `<|endoftext|>`. Braces are for the placeholder.
 */
const NOT_IN_CAPTIONS = /\{[^{}]{0,40}\}|[\p{C}<>{}|]/u;

/** More bytes than the longest caption has in UTF-8, byte order mark included; such a file is not read. */
export function mostCaptionBytes({ maxCaption }: PhotoLimits): number {
  return 4 * maxCaption + 3;
}

/** A caption as one line: trainers write one caption over several lines, and tokenizers read any blank alike. */
export function captionLine(text: string): string {
  return text.normalize('NFC').replace(/\s+/gu, ' ').trim();
}

/**
 * The prompt that a caption becomes. The subject is put in for every `{subject}`, and the token word for every
 * `{token}`, as in prompts of `generate`; without these, a caption that has the token word as a word stays as it is;
 * otherwise the subject takes the place of the category where it stands first.
 *
 * @returns undefined when the caption says nowhere where the subject is, or not as a word of its own
 */
export function captionPrompt(
  text: string,
  { category, tokenWord }: Pick<CaptionSubject, 'category' | 'tokenWord'>,
): string | undefined {
  const subject = `${tokenWord} ${category}`;
  // Tokenizers split off a sign that follows, but the token word must begin a word to be one. A category is letters and
  // blanks, none of which means anything in an expression.
  const named = new RegExp(`(?<=^| )${category}(?![\\p{L}\\p{N}])`, 'iu');
  const filled = text.replaceAll(SUBJECT_PLACEHOLDER, subject).replaceAll(TOKEN_PLACE, tokenWord);
  const prompt = filled !== text || hasWord(text, tokenWord) ? filled : text.replace(named, subject);
  return hasWord(prompt, tokenWord) ? prompt : undefined;
}

function hasWord(text: string, word: string): boolean {
  return text.split(' ').includes(word);
}

/**
 * Every finding about one caption.
 *
 * @param subject - undefined where it is not known, as for a folder without a request
 */
export function judgeCaption(
  facts: CaptionFacts,
  subject: CaptionSubject | undefined,
  limits: PhotoLimits,
): Finding[] {
  const { file, text } = facts;
  const fault = fileFault(facts, limits) ?? (text === undefined ? undefined : textFault(text, limits));
  if (fault !== undefined) return [findingOf(file, 'blocker')(...fault)];
  if (text === undefined) return [];
  const subjects = subject === undefined ? undefined : subjectFault(text, subject);
  const found = subjects === undefined ? [] : [findingOf(file, 'blocker')(...subjects)];
  const length = [...text].length;
  if (length <= limits.softCaption) return found;
  const message = `has ${length} characters; of more than about ${limits.softCaption}, teachers that read with CLIP alone ignore the rest`;
  return [
    ...found,
    findingOf(file, 'warning')('caption-long', message, 'Name the subject first, and be brief.'),
  ];
}

/** Code, message and remedy, as findings are made of. */
type Fault = readonly [code: FindingCode, message: string, remedy: string];

function fileFault({ bytes, photos, failure }: CaptionFacts, limits: PhotoLimits): Fault | undefined {
  if (photos.length === 0) {
    return [
      'caption-without-photo',
      'has the name of a caption, but no photo has the same name',
      'Name it after its photo, such as dog.txt for dog.jpg; remove a text that is not a caption.',
    ];
  }
  if (bytes > mostCaptionBytes(limits)) return tooLong(`${bytes} bytes`, limits);
  if (failure?.kind === 'unreadable')
    return ['unreadable', `cannot be read (${failure.detail})`, 'Allow reading it, or remove it.'];
  if (failure !== undefined) {
    return [
      'caption-not-utf8',
      `is not text in UTF-8 (${failure.detail}); allowed is the caption of ${photos.map(printable).join(', ')} in UTF-8`,
      'Save it as plain text in UTF-8; a photo needs the ending of its format.',
    ];
  }
  return undefined;
}

function textFault(text: string, limits: PhotoLimits): Fault | undefined {
  const length = [...text].length;
  if (length === 0) return ['caption-empty', 'is empty', 'Write what the photo shows, or remove the file.'];
  if (length > limits.maxCaption) return tooLong(`${length} characters`, limits);
  const foreign = text
    .replaceAll(SUBJECT_PLACEHOLDER, '')
    .replaceAll(TOKEN_PLACE, '')
    .match(NOT_IN_CAPTIONS)?.[0];
  if (foreign === undefined) return undefined;
  return [
    'caption-characters',
    `contains ${printable(JSON.stringify(foreign))}; allowed are letters, digits, blanks and punctuation other than < > { } |, and ${SUBJECT_PLACEHOLDER} for the subject`,
    'Remove it: the file is one plain sentence.',
  ];
}

function subjectFault(text: string, subject: CaptionSubject): Fault | undefined {
  const { category, tokenWord, vocabulary } = subject;
  const prompt = captionPrompt(text, subject);
  if (prompt === undefined) {
    return [
      'caption-without-subject',
      `does not say where the subject is: "${text.slice(0, 80)}" has neither ${SUBJECT_PLACEHOLDER} nor "${category}" as a word of its own`,
      `Put ${SUBJECT_PLACEHOLDER} where the subject is named, after a blank: "a ${SUBJECT_PLACEHOLDER} on a red carpet".`,
    ];
  }
  if (vocabulary === null) return undefined;
  const known = new Set([...vocabulary, ...category.split(' '), tokenWord]);
  const unknown = prompt.split(' ').filter((word) => !known.has(word));
  if (unknown.length === 0) return undefined;
  return [
    'caption-unknown-words',
    `has words that the models do not know: ${unknown.slice(0, 5).join(' ').slice(0, 80)}; they know only ${vocabulary.join(', ')}`,
    'Use only these words, without punctuation, or remove the file.',
  ];
}

function tooLong(given: string, limits: PhotoLimits): Fault {
  return [
    'caption-too-long',
    `has ${given}; at most ${limits.maxCaption} characters are allowed`,
    'Shorten it to a sentence about the subject and its surroundings.',
  ];
}
