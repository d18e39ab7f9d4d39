/**
 * The token word is what really stands for S* in prompts. A word that one of the chosen models' tokenizers or
 * caption cleaners changes or deletes would teach the models nothing, so the plan refuses it.
 */
import { ProxytuneError } from '../errors.ts';

/** Rare, one token in CLIP's vocabulary (47993), plain letters: it survives every cleaner we know. */
export const DEFAULT_TOKEN_WORD = 'ohwx';

type CaptionRule = 'clip' | 't5' | 'caption-cleaner';

interface Rule {
  readonly says: string;
  readonly holds: (word: string) => boolean;
}

/** Words that LlamaGen's caption cleaner deletes although they are plain letters. */
const DELETED_WORDS = ['download', 'png', 'jpg', 'jpeg', 'click', 'shipping'];

const RULES: Readonly<Record<CaptionRule, Rule[]>> = {
  clip: [
    { says: 'CLIP lower-cases prompts: small letters only', holds: (word) => word === word.toLowerCase() },
    { says: 'signs are split off by CLIP: letters only', holds: (word) => /^\p{L}+$/u.test(word) },
  ],
  t5: [
    { says: 'no blanks: the tokenizer would make several words of it', holds: (word) => !/\s/.test(word) },
  ],
  'caption-cleaner': [
    {
      says: "LlamaGen's caption cleaner deletes digits, signs and foreign letters",
      holds: (word) => /^[a-z]+$/.test(word),
    },
    { says: "LlamaGen's caption cleaner deletes this word", holds: (word) => !DELETED_WORDS.includes(word) },
  ],
};

/** Refuses a token word that does not survive the chosen models. @throws TokenWordUnusable */
export function checkTokenWord(
  word: string,
  rules: readonly CaptionRule[],
  category: string,
  prompts: readonly string[],
): void {
  const broken = [...new Set(rules)].flatMap((rule) => RULES[rule]).find((rule) => !rule.holds(word));
  const used = [category, ...prompts].some((text) =>
    text.toLowerCase().split(/\W+/).includes(word.toLowerCase()),
  );
  if (broken === undefined && !used && word.length >= 3 && word.length <= 12) return;
  throw new ProxytuneError('TokenWordUnusable', {
    what:
      broken?.says ??
      (used
        ? 'The token word already means something in the prompts'
        : 'The token word is too short or too long'),
    given: JSON.stringify(word),
    allowed: 'a rare word of 3 to 12 small letters a-z that stands in no prompt, such as ohwx',
    remedy: `leave tokenWord out of subject.json to use ${DEFAULT_TOKEN_WORD}, or choose another word`,
  });
}
