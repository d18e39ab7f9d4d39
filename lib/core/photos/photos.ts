/**
 * Verdicts on the photos of a run: on each one, and on all together. Everything is found at once, so that a user
 * fixes the whole folder in one go. Measuring is done in lib/inspection; here are only the judgments.
 */
import { PHOTO_LIMITS, type PhotoLimits } from './limits.ts';
import { type Finding, findingOf, isIgnored, judgePhoto, type PhotoFacts } from './rules.ts';

export type Verdict = 'accept' | 'warn' | 'reject' | 'ignore';

/** The file name under which findings about all photos together are reported. */
export const WHOLE_SET = '.';

export interface PhotoVerdict {
  readonly file: string;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
}

export interface Assessment {
  /** One entry a file, in name order. */
  readonly photos: readonly PhotoVerdict[];
  /** One entry for each file next to a photo that belongs to it (see companions.ts), in name order. */
  readonly companions: readonly PhotoVerdict[];
  /** Findings about all photos together. */
  readonly set: readonly Finding[];
  /** Photos that become references: accepted, or accepted with a warning. */
  readonly accepted: number;
  /** Number of warnings, those about companions and the whole set included. */
  readonly warnings: number;
  /** True when there is any blocker: then no run may start. */
  readonly refused: boolean;
}

/**
 * Judges all photos of a run.
 *
 * @param all facts of the files that were looked into, in name order
 * @param total how many photos there are, those not looked into included
 */
export function assessPhotos(
  all: readonly PhotoFacts[],
  total: number = all.length,
  limits: PhotoLimits = PHOTO_LIMITS,
): Assessment {
  const judged = all.map((facts) => ({ facts, ignored: isIgnored(facts), own: judgePhoto(facts, limits) }));
  const usable = judged
    .filter(({ ignored, own }) => !ignored && !own.some(isBlocker))
    .map(({ facts }) => facts);
  const photos = judged.map(({ facts, ignored, own }): PhotoVerdict => {
    if (ignored) return { file: facts.file, verdict: 'ignore', findings: [] };
    const findings = usable.includes(facts) ? [...own, ...copyFindings(facts, usable, limits)] : own;
    return { file: facts.file, verdict: verdictOf(findings), findings };
  });
  const ignored = photos.filter(({ verdict }) => verdict === 'ignore').length;
  const set = judgeSet(usable, total - ignored, limits);
  const findings = [...photos.flatMap((photo) => photo.findings), ...set];
  return {
    photos,
    companions: [],
    set,
    accepted: usable.length,
    warnings: findings.filter((finding) => !isBlocker(finding)).length,
    refused: findings.some(isBlocker),
  };
}

function judgeCompanions(total: number, limits: PhotoLimits): Finding[] {
  if (total <= limits.maxInspected) return [];
  const message = `there are ${total} files named as captions or masks; only the first ${limits.maxInspected} were looked at, more than there can be photos`;
  const remedy = 'Keep one caption and one mask for each photo that needs it.';
  return [findingOf(WHOLE_SET, 'blocker')('too-many-companions', message, remedy)];
}

/**
 * An assessment with the files next to the photos.
 *
 * @param companions verdicts on those that were looked into
 * @param total how many there are of the most frequent kind
 */
export function withCompanions(
  assessment: Assessment,
  companions: readonly PhotoVerdict[],
  total: number = companions.length,
  limits: PhotoLimits = PHOTO_LIMITS,
): Assessment {
  const more = judgeCompanions(total, limits);
  const found = [...companions.flatMap(({ findings }) => findings), ...more];
  return {
    ...assessment,
    companions,
    set: [...assessment.set, ...more],
    warnings: assessment.warnings + found.filter((finding) => !isBlocker(finding)).length,
    refused: assessment.refused || found.some(isBlocker),
  };
}

/** All blockers: of the photos, of the files next to them, and last of the whole set. */
export function blockersOf({
  photos,
  companions,
  set,
}: Pick<Assessment, 'photos' | 'companions' | 'set'>): Finding[] {
  return [...[...photos, ...companions].flatMap((file) => file.findings), ...set].filter(isBlocker);
}

/** One line for a finding: whom it is about and what it says. */
export function findingLine(finding: Finding): string {
  return finding.file === WHOLE_SET ? finding.message : `${printable(finding.file)} ${finding.message}`;
}

/** A file's name on one line: a name may hold line breaks and even commands to the terminal that shows it. */
export function printable(file: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that are meant
  return file.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Name order that does not depend on the machine's language: by code unit. */
export function byName(a: { readonly file: string }, b: { readonly file: string }): number {
  if (a.file === b.file) return 0;
  return a.file < b.file ? -1 : 1;
}

/** Mean absolute difference of two thumbnails, 0..255; infinite when one of them is missing. */
export function pictureDistance(a: PhotoFacts, b: PhotoFacts): number {
  const left = a.pixels?.thumbnail;
  const right = b.pixels?.thumbnail;
  if (left === undefined || right === undefined || left.length !== right.length) return Infinity;
  let sum = 0;
  for (let i = 0; i < left.length; i += 1) sum += Math.abs((left[i] ?? 0) - (right[i] ?? 0));
  return sum / left.length;
}

function isBlocker(finding: Finding): boolean {
  return finding.severity === 'blocker';
}

/** The verdict on a file with these findings. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  if (findings.some(isBlocker)) return 'reject';
  return findings.length > 0 ? 'warn' : 'accept';
}

/**
 * True of two files that are one shot saved twice: same format, same size, same look. A photo exported to another format
 * or size counts against neither file; that is reported once, about the whole set (`repeated-picture`).
 */
function areCopies(a: PhotoFacts, b: PhotoFacts, limits: PhotoLimits): boolean {
  const sameKind =
    a.format === b.format && a.pixels?.width === b.pixels?.width && a.pixels?.height === b.pixels?.height;
  return sameKind && pictureDistance(a, b) <= limits.copyDistance;
}

function copyFindings(facts: PhotoFacts, usable: readonly PhotoFacts[], limits: PhotoLimits): Finding[] {
  const copies = usable.filter((other) => other !== facts && areCopies(facts, other, limits));
  if (copies.length === 0) return [];
  const message = `shows the same picture as ${list(copies)}, which then counts more than the others`;
  return [findingOf(facts.file, 'warning')('same-picture', message, 'Keep the best one of them.')];
}

function judgeSet(usable: readonly PhotoFacts[], total: number, limits: PhotoLimits): Finding[] {
  const block = findingOf(WHOLE_SET, 'blocker');
  const groups = groupByPicture(usable, limits);
  const found: Finding[] = [];
  const more = 'Add photos of the subject from other sides, in other light, before other backgrounds.';
  if (total > limits.maxPhotos) {
    const unseen =
      total > limits.maxInspected ? `; only the first ${limits.maxInspected} were looked at` : '';
    const message = `there are ${total} photos, at most ${limits.maxPhotos} are allowed${unseen}`;
    found.push(
      block('too-many-photos', message, 'Keep the ones that show the subject best; five are enough.'),
    );
  }
  if (usable.length < limits.minPhotos) {
    const message = `${usable.length} of ${total} photos can be used, at least ${limits.minPhotos} are needed`;
    found.push(block('too-few-photos', message, more));
  } else if (groups.length < limits.minPhotos) {
    const message = `the ${usable.length} usable photos show only ${groups.length} distinct pictures, at least ${limits.minPhotos} are needed`;
    found.push(block('too-few-distinct', message, more));
  }
  return [...found, ...repeatedPictures(groups, limits)];
}

/** One warning for each picture that is there several times and not already said of each file. */
function repeatedPictures(groups: readonly PhotoFacts[][], limits: PhotoLimits): Finding[] {
  const said = (group: PhotoFacts[]): boolean =>
    group.every((a) => group.every((b) => a === b || areCopies(a, b, limits)));
  return groups
    .filter((group) => group.length > 1 && !said(group))
    .map((group) => {
      const message = `${list(group)} show nearly the same picture, which then counts ${group.length} times`;
      return findingOf(WHOLE_SET, 'warning')('repeated-picture', message, 'Keep the best one of them.');
    });
}

function groupByPicture(usable: readonly PhotoFacts[], limits: PhotoLimits): PhotoFacts[][] {
  let groups: PhotoFacts[][] = [];
  for (const facts of usable) {
    const near = groups.filter((group) =>
      group.some((other) => pictureDistance(facts, other) <= limits.pictureDistance),
    );
    groups = [...groups.filter((group) => !near.includes(group)), [...near.flat(), facts].sort(byName)];
  }
  return groups;
}

function list(photos: readonly PhotoFacts[]): string {
  return photos.map(({ file }) => file).join(', ');
}
