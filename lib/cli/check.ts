/** `proxytune check DIR`: the inspection of a run's photos, on a folder, with the lambda's own code. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ProxytuneError } from '../core/errors.ts';
import type { Finding } from '../core/photo-rules.ts';
import { type PhotoVerdict, type Verdict, WHOLE_SET } from '../core/photos.ts';
import { type Inspection, inspectPhotos, type PhotoSource } from '../inspection/inspect.ts';

export interface CheckOptions {
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
  const { json = false, out = process.stdout } = options;
  const inspection = await inspectPhotos(await folderSources(dir));
  out.write(json ? checkJson(inspection) : checkLines(inspection).join('\n').concat('\n'));
  return inspection.refused ? REFUSED : USABLE;
}

/** Every file below a folder, as the lambda finds every object below a prefix. */
export async function folderSources(dir: string): Promise<PhotoSource[]> {
  const sources: PhotoSource[] = [];
  for (const file of await filesBelow(dir)) {
    const path = join(dir, file);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined && !facts.isFile()) continue;
    sources.push({ file, bytes: facts?.size ?? 0, read: () => readPhoto(path) });
  }
  return sources;
}

/** Not those in hidden folders: a repository's insides would only bury the photos' verdicts. */
async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    throw new ProxytuneError('FolderMissing', {
      what: `There is no folder ${dir} that can be read`,
      given: error instanceof Error ? error.message : String(error),
      allowed: 'a folder with photos of the subject',
      remedy: 'check the path',
      cause: error,
    });
  });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter(
      (file) =>
        !file
          .split('/')
          .slice(0, -1)
          .some((folder) => folder.startsWith('.')),
    );
}

/** What the system refuses to read is a finding like any other: the other photos are still looked at. */
async function readPhoto(path: string): Promise<Uint8Array | { unreadable: string }> {
  try {
    return await readFile(path);
  } catch (error) {
    return { unreadable: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}

/** Findings about the whole set stand under the file name `.`, and only when there are any. */
function checkJson({ photos, set }: Inspection): string {
  const whole: PhotoVerdict[] =
    set.length > 0 ? [{ file: WHOLE_SET, verdict: setVerdict(set), findings: set }] : [];
  const entries = [...photos, ...whole].map(({ file, verdict, findings }) => ({
    file,
    verdict,
    findings: findings.map(({ code, severity, message, remedy }) => ({ code, severity, message, remedy })),
  }));
  return `${JSON.stringify(entries, null, 2)}\n`;
}

function setVerdict(set: readonly Finding[]): Verdict {
  return set.some(({ severity }) => severity === 'blocker') ? 'reject' : 'warn';
}

/** A line for each photo, the findings with their remedies below it, and what it comes to. */
function checkLines(inspection: Inspection): string[] {
  const { photos, set, accepted, warnings, refused } = inspection;
  const shown = photos.filter(({ verdict }) => verdict !== 'ignore');
  const lines = shown.flatMap(({ file, verdict, findings }) => [
    `${verdict.padEnd(6)}  ${file}`,
    ...findings.flatMap(findingLines),
  ]);
  if (set.length > 0)
    lines.push(`${setVerdict(set).padEnd(6)}  all photos together`, ...set.flatMap(findingLines));
  const noted = `${accepted} of ${shown.length} photos usable, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
  lines.push(refused ? `Refused: ${noted}. Mend what says "reject" and check again.` : `Usable: ${noted}.`);
  return lines;
}

function findingLines({ code, message, remedy }: Finding): string[] {
  return [`        ${code}: ${message}.`, `        ${' '.repeat(code.length)}  ${remedy}`];
}
