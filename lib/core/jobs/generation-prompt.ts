/** A prompt of a user's own: the token word put in, and what is worth knowing before anything is drawn of it. */
import type { Model } from '../catalogue/models.ts';
import { ProxytuneError } from '../errors.ts';
import { likely } from '../nearest.ts';

/** Placeholder for the token word in a prompt, so that nobody has to remember it. */
export const TOKEN_PLACE = '{token}';

/** Far beyond any reasonable caption; a longer text is a mistake. */
const MOST_CHARACTERS = 2000;

type CaptionRule = Model['captionRules'][number];

/** Whole words, as T5 has at least one token for each. */
const WORDS = /\S+/gu;
/** CLIP splits off each digit and each run of signs. */
const CLIP_PIECES = /\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu;

/**
 * How many tokens of a caption are read at all, without those that begin and end it; the rest is cut off. The first of
 * these rules that a model has tells: LlamaGen pads its captions to 120; the teachers with a T5 next to CLIP read 256
 * (SD3's default in diffusers) or more with it; CLIP alone has 77 positions.
 */
const READ: readonly (readonly [CaptionRule, number, RegExp])[] = [
  ['caption-cleaner', 119, WORDS],
  ['t5', 255, WORDS],
  ['clip', 75, CLIP_PIECES],
];

/** The prompt as the model is given it, on one line. @throws UsageInvalid when nothing or a whole book is left */
export function fillPrompt(template: string, tokenWord: string): string {
  const prompt = template.replaceAll(TOKEN_PLACE, tokenWord).replace(/\s+/g, ' ').trim();
  if (!/[\p{L}\p{N}]/u.test(prompt)) throw unusable('The prompt holds no word', JSON.stringify(template));
  if (prompt.length > MOST_CHARACTERS) {
    throw unusable(
      'The prompt is too long',
      `${prompt.length} characters`,
      `at most ${MOST_CHARACTERS} characters`,
    );
  }
  return prompt;
}

/**
 * Refuses a prompt whose end no model would read.
 * @param rules - of the model that draws
 * @param vocabulary - words that the models of its domain know; any other has a token for each letter. @default - every word
 * may be one token
 * @throws UsageInvalid
 */
export function requireReadable(
  prompt: string,
  rules: readonly CaptionRule[],
  vocabulary?: readonly string[] | null,
): void {
  const [, limit, pattern] = READ.find(([rule]) => rules.includes(rule)) ?? [];
  if (limit === undefined || pattern === undefined) return;
  const pieces = prompt.match(pattern) ?? [];
  const tokens = pieces.reduce((sum, piece) => sum + (isKnown(piece, vocabulary) ? 1 : piece.length), 0);
  if (tokens <= limit) return;
  throw unusable(
    'The prompt is longer than the model reads; its end would be cut off',
    `at least ${tokens} tokens`,
    `${limit} tokens, about as many words`,
  );
}

/** True when the prompt names the subject. */
export function namesSubject(prompt: string, tokenWord: string): boolean {
  return wordsOf(prompt).includes(tokenWord.toLowerCase());
}

export interface UnknownWord {
  readonly word: string;
  /** The known word that was probably meant. @default - none is near */
  readonly meant?: string;
}

/** The words of a prompt that mean nothing in a small domain, each once. The token word is not to mean anything. */
export function unknownWords(
  prompt: string,
  tokenWord: string,
  vocabulary: readonly string[],
): UnknownWord[] {
  const known = [...vocabulary, tokenWord.toLowerCase()];
  const unknown = [...new Set(wordsOf(prompt))].filter((word) => !known.includes(word));
  return unknown.map((word) => {
    const meant = likely(word, vocabulary);
    return meant === undefined ? { word } : { word, meant };
  });
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

function isKnown(piece: string, vocabulary: readonly string[] | null | undefined): boolean {
  return vocabulary === undefined || vocabulary === null || vocabulary.includes(piece.toLowerCase());
}

function unusable(
  what: string,
  given: string,
  allowed = 'a sentence or two about one picture',
): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what,
    given,
    allowed,
    remedy: `write a caption such as "a photo of a ${TOKEN_PLACE} dog at sunset"`,
  });
}
