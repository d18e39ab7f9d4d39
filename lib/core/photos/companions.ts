/**
 * Files next to a photo that belong to it: `x.txt` is the caption of `x.jpg`, `x.mask.png` its mask. Only this file
 * knows their names; any other file may be a photo.
 */

/** How the name of such a file ends, in small or capital letters. */
const ENDINGS = { caption: '.txt', mask: '.mask.png' } as const;

export type CompanionKind = keyof typeof ENDINGS;

export interface Companion {
  readonly kind: CompanionKind;
  /** The path of its photo, without the ending. */
  readonly stem: string;
}

/** Recognises a companion by its name; undefined of a file that may be a photo itself. */
export function companionOf(file: string): Companion | undefined {
  const found = Object.entries(ENDINGS).find(([, ending]) => file.toLowerCase().endsWith(ending));
  if (found === undefined) return undefined;
  const [kind, ending] = found;
  return { kind: kind as CompanionKind, stem: file.slice(0, -ending.length) };
}

/** Those of the photos that a companion belongs to: with its path, but for the ending. */
export function photosWith({ stem }: Companion, photos: readonly string[]): string[] {
  const wanted = stem.normalize('NFC');
  // A Mac spells an accented letter as two characters, and may spell only one of the names so.
  return photos.filter((photo) => photo.slice(0, photo.lastIndexOf('.')).normalize('NFC') === wanted);
}
