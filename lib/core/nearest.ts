/** Nearest known words, for refusals that say what was probably meant. */

/** Levenshtein distance of two words: insertions, deletions and substitutions of one letter. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * The known word that was probably meant, ignoring case. A third of the letters may be wrong; beyond that any word is as
 * good a guess. @returns undefined when no known word is so near
 */
export function likely(word: string, known: readonly string[]): string | undefined {
  const candidate = nearest(word, known);
  if (candidate === undefined) return undefined;
  const wrong = distance(word.toLowerCase(), candidate.toLowerCase());
  return wrong <= Math.max(1, Math.floor(word.length / 3)) ? candidate : undefined;
}

/** A correction for an unknown word: the one that was probably meant, else all known ones. */
export function correction(word: string, known: readonly string[]): string {
  const meant = likely(word, known);
  return meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
}

/** The known word nearest to a given one, ignoring case. @returns undefined when there is no known word */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  return [...known].sort((a, b) => distance(lower, a.toLowerCase()) - distance(lower, b.toLowerCase()))[0];
}
