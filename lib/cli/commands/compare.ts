/** `proxytune compare RUN RUN...`: finished runs in one table and on one page, with images by prompt. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { AwsContext } from '../../aws/context.ts';
import { readPlan } from '../../aws/runs.ts';
import { names as contract } from '../../core/contract/names.ts';
import { ProxytuneError } from '../../core/errors.ts';
import {
  type ComparedImage,
  type ComparedRun,
  comparedModels,
  imagesByPrompt,
  meansOverSubjects,
  obstacles,
} from '../comparison/compared.ts';
import { comparisonCsv } from '../comparison/csv.ts';
import { measuresOf, printedScore } from '../comparison/measures.ts';
import { type Comparison, comparisonPage } from '../comparison/page.ts';
import { type Output, table } from '../output.ts';
import { requireOwnFolder } from '../own-folder.ts';
import { type CloudOptions, cloudFlags, dataFolder, withContext } from '../session.ts';
import { chooseRun, fetchReport } from './report.ts';

/** The numbers; its presence says which comparison owns the folder. */
const RECORD = 'comparison.json';

export interface CompareOptions extends CloudOptions {
  /** The folder to write. @default - one below `comparisons` in the data folder, the same for the same runs */
  readonly out?: string;
}

/**
 * Compares runs and writes `index.html`, `comparison.json`, `comparison.csv` and the images.
 * @throws UsageInvalid for fewer than two runs, and for a folder with other files; RunUnknown for a run that does not exist or has no report
 */
export async function compareCommand(
  named: readonly string[],
  options: CompareOptions,
  output: Output,
): Promise<number> {
  const names = [...new Set(named)];
  if (names.length < 2) throw tooFew(names);
  const id = createHash('sha256').update(names.join(' ')).digest('hex').slice(0, 8);
  const folder = resolve(options.out ?? join(dataFolder(options), 'comparisons', id));
  requireOwnFolder(folder, RECORD, id);
  return withContext(options, output, async (aws) => {
    const runs: ComparedRun[] = [];
    for (const name of names) runs.push(await openRun(aws, name, dataFolder(options)));
    const comparison = compare(runs, `npx proxytune compare ${names.join(' ')}${cloudFlags(options)}`);
    await writeComparison(folder, id, comparison, runs);
    for (const line of comparisonLines(comparison)) output.say(line);
    const page = join(folder, contract.files.reportPage);
    const { models, means } = comparison;
    output.data({ page, obstacles: comparison.obstacles, models, means });
    output.say(page);
    return 0;
  });
}

async function openRun(aws: AwsContext, named: string, dataDir: string): Promise<ComparedRun> {
  const runId = await chooseRun(aws, named);
  const { page, metrics } = await fetchReport(aws, runId, dataDir);
  return { plan: await readPlan(aws, runId), metrics, folder: dirname(page) };
}

/** The comparison of runs. @param command - that makes it again */
export function compare(runs: readonly ComparedRun[], command: string): Comparison {
  const models = comparedModels(runs);
  const [reasons, prompts] = [obstacles(runs), imagesByPrompt(runs)];
  return { models, means: meansOverSubjects(models), prompts, obstacles: reasons, command };
}

/** Writes the folder whole or not at all. @param id - of the comparison, for the next one of the same runs */
export async function writeComparison(
  folder: string,
  id: string,
  comparison: Comparison,
  runs: readonly ComparedRun[],
): Promise<void> {
  const incoming = `${folder}.incoming`;
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  const folders = new Map(runs.map(({ metrics, folder: of }) => [metrics.run, of]));
  for (const image of comparison.prompts.flatMap(({ images }) => images)) {
    const target = join(incoming, source(image));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(folders.get(image.runId) ?? '', image.file), target);
  }
  const { models, means, obstacles: reasons } = comparison;
  const data = JSON.stringify({ version: 1, id, obstacles: reasons, models, means }, null, 1);
  await writeFile(join(incoming, RECORD), `${data}\n`);
  await writeFile(join(incoming, 'comparison.csv'), comparisonCsv(models));
  await writeFile(join(incoming, contract.files.reportPage), comparisonPage(comparison, source));
  await rm(folder, { recursive: true, force: true });
  await rename(incoming, folder);
}

const source = ({ runId, file }: ComparedImage): string => `${runId}/${file}`;

/** The table for people. */
export function comparisonLines({ models, obstacles: reasons }: Comparison): string[] {
  if (reasons.length > 0) return [...reasons];
  const measures = measuresOf(models.map(({ scores }) => scores));
  return table([
    ['run', '', 'method', ...measures.map(({ title }) => title)],
    ...models.map(({ runId, row, method, scores }) => [
      runId,
      row,
      method,
      ...measures.map((measure) => printedScore(measure, scores[measure.key])),
    ]),
  ]);
}

function tooFew(names: readonly string[]): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what: 'A comparison needs two runs or more',
    given: names.length === 0 ? 'none' : names.join(', '),
    allowed: 'npx proxytune compare RUN RUN...',
    remedy: 'npx proxytune status lists the runs; name those that have a report',
  });
}
