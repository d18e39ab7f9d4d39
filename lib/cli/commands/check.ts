/** `proxytune check DIR`: the inspection of a run's photos, on a folder, with the lambda's own code. */

import type { CaptionSubject } from '../../core/photos/captions.ts';
import { companionOf } from '../../core/photos/companions.ts';
import { type PhotoVerdict, printable, type Verdict, WHOLE_SET } from '../../core/photos/photos.ts';
import type { Finding } from '../../core/photos/rules.ts';
import { type Inspection, inspectPhotos } from '../../inspection/inspect.ts';
import { folderSources } from '../photo-folder.ts';

export interface CheckOptions {
  /** The subject of the captions. @default - not known: whether they name the subject is left open */
  readonly subject?: CaptionSubject | undefined;
  /** Print `[{file, verdict, findings}]` instead of lines. @default - lines */
  readonly json?: boolean;
  /** Where to print. @default - standard output */
  readonly out?: { write(text: string): unknown };
}

const USABLE = 0;
const REFUSED = 3;

/**
 * Inspects the photos in a folder and prints the verdicts.
 *
 * @returns the exit code: 0 when a run with these photos would start, 3 when it would be refused
 * @throws ProxytuneError `FolderMissing` when there is no such folder
 */
export async function check(dir: string, options: CheckOptions = {}): Promise<number> {
  const { json = false, out = process.stdout, subject } = options;
  const inspection = await inspectPhotos(await folderSources(dir), { ...(subject && { subject }) });
  out.write(json ? checkJson(inspection) : checkLines(inspection, subject).join('\n').concat('\n'));
  return inspection.refused ? REFUSED : USABLE;
}

/** Findings about all photos together have the file name `.`, if there are any. */
function checkJson({ photos, companions, set }: Inspection): string {
  const whole: PhotoVerdict[] =
    set.length > 0 ? [{ file: WHOLE_SET, verdict: setVerdict(set), findings: set }] : [];
  const entries = [...photos, ...companions, ...whole].map(({ file, verdict, findings }) => ({
    file,
    verdict,
    findings: findings.map(({ code, severity, message, remedy }) => ({ code, severity, message, remedy })),
  }));
  return `${JSON.stringify(entries, null, 2)}\n`;
}

function setVerdict(set: readonly Finding[]): Verdict {
  return set.some(({ severity }) => severity === 'blocker') ? 'reject' : 'warn';
}

/** A line for each photo, its findings with their remedies below it, and the result. */
function checkLines(inspection: Inspection, subject: CaptionSubject | undefined): string[] {
  const { photos, companions, set, accepted, warnings, refused } = inspection;
  const shown = photos.filter(({ verdict }) => verdict !== 'ignore');
  const lines = [...shown, ...companions].flatMap(({ file, verdict, findings }) => [
    `${verdict.padEnd(6)}  ${printable(file)}`,
    ...findings.flatMap(findingLines),
  ]);
  if (set.length > 0)
    lines.push(`${setVerdict(set).padEnd(6)}  all photos together`, ...set.flatMap(findingLines));
  const noted = `${accepted} of ${shown.length} photos usable, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
  if (companions.some(({ file }) => companionOf(file)?.kind === 'caption') && subject === undefined)
    lines.push('Whether the captions name the subject was not checked: give --category, or a subject.json.');
  lines.push(
    refused ? `Refused: ${noted}. Fix the files marked "reject" and check again.` : `Usable: ${noted}.`,
  );
  return lines;
}

function findingLines({ code, message, remedy }: Finding): string[] {
  return [`        ${code}: ${message}.`, `        ${' '.repeat(code.length)}  ${remedy}`];
}
