/** A prompt of a user's own: the token word put in, and what is worth knowing before anything is drawn of it. */
import type { Model } from './catalogue.ts';
import { ProxytuneError } from './errors.ts';
import { distance, nearest } from './nearest.ts';

/** What stands for the token word in a prompt, so that nobody has to remember it. */
export const TOKEN_PLACE = '{token}';

/** Far beyond any caption of sense; what is longer is another text by mistake. */
const MOST_CHARACTERS = 2000;

type CaptionRule = Model['captionRules'][number];

/**
 * How many tokens each tokenizer's encoder reads, without those that begin and end a text: CLIP has 77 positions for
 * both and the caption, LlamaGen pads T5's captions to 120 and needs one for the end. The rest is cut off unread.
 */
const READ: Readonly<Partial<Record<CaptionRule, number>>> = { clip: 75, t5: 119 };

/** The least tokens a text can have: CLIP splits off each digit and each run of signs, T5 keeps to the blanks. */
const PIECES: Readonly<Partial<Record<CaptionRule, RegExp>>> = {
  clip: /\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu,
  t5: /\S+/gu,
};

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
 * @param vocabulary - words that its small world knows; any other has a token for each letter. @default - every word
 * may be one token
 * @throws UsageInvalid
 */
export function requireReadable(
  prompt: string,
  rules: readonly CaptionRule[],
  vocabulary?: readonly string[] | null,
): void {
  for (const rule of rules) {
    const [limit, pattern] = [READ[rule], PIECES[rule]];
    if (limit === undefined || pattern === undefined) continue;
    const pieces = prompt.match(pattern) ?? [];
    const tokens = pieces.reduce((sum, piece) => sum + (isKnown(piece, vocabulary) ? 1 : piece.length), 0);
    if (tokens <= limit) continue;
    throw unusable(
      'The prompt is longer than the model reads; its end would be cut off',
      `at least ${tokens} tokens`,
      `${limit} tokens, about as many words`,
    );
  }
}

/** Whether the prompt speaks of the subject at all. */
export function namesSubject(prompt: string, tokenWord: string): boolean {
  return wordsOf(prompt).includes(tokenWord.toLowerCase());
}

export interface UnknownWord {
  readonly word: string;
  /** The known word that was probably meant. @default - none is near */
  readonly meant?: string;
}

/** The words of a prompt that mean nothing to a small world, each once. The token word is not to mean anything. */
export function unknownWords(
  prompt: string,
  tokenWord: string,
  vocabulary: readonly string[],
): UnknownWord[] {
  const known = [...vocabulary, tokenWord.toLowerCase()];
  const unknown = [...new Set(wordsOf(prompt))].filter((word) => !known.includes(word));
  return unknown.map((word) => {
    const candidate = nearest(word, vocabulary) ?? '';
    // A third of its letters may be wrong; beyond that any word is as good a guess.
    const near = distance(word, candidate) <= Math.max(1, Math.floor(word.length / 3));
    return near ? { word, meant: candidate } : { word };
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
