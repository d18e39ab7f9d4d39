/** `proxytune report [RUN]`: brings the report of a run to this disk, readable offline. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type BucketContext, findText, listKeys, readBytes } from '../../aws/s3.ts';
import { listRuns, type TableContext } from '../../aws/table.ts';
import { type Metrics, metrics as metricsSchema } from '../../core/contract/metrics.ts';
import { names } from '../../core/contract/names.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { keys } from '../../core/keys.ts';
import { readRunView } from '../run-state.ts';

export interface LocalReport {
  /** The page, as an absolute path. */
  readonly page: string;
  readonly metrics: Metrics;
}

/**
 * Copies a run's report below `dataDir/runs/<run>/report/`, whole or not at all.
 * @throws RunUnknown when the run has no report
 */
export async function fetchReport(
  context: BucketContext & TableContext,
  runId: string,
  dataDir: string,
): Promise<LocalReport> {
  const text = await findText(context, keys.metrics(runId));
  if (text === undefined) throw noReport(runId, (await readRunView(context, runId))?.status);
  const folder = resolve(dataDir, keys.report(runId));
  const incoming = `${folder}.incoming`;
  await rm(incoming, { recursive: true, force: true });
  for (const key of await listKeys(context, keys.report(runId))) {
    const file = join(incoming, key.slice(keys.report(runId).length));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, await readBytes(context, key, Number.POSITIVE_INFINITY));
  }
  await rm(folder, { recursive: true, force: true });
  await rename(incoming, folder);
  return { page: join(folder, names.files.reportPage), metrics: metricsSchema.parse(JSON.parse(text)) };
}

/** The named run, or the newest. @throws RunUnknown, naming the runs there are */
export async function chooseRun(context: TableContext, named: string | undefined): Promise<string> {
  const runs = await listRuns(context);
  const run = named === undefined ? runs[0] : runs.find((entry) => entry.runId === named);
  if (run !== undefined) return run.runId;
  throw new ProxytuneError('RunUnknown', {
    what: named === undefined ? 'There is no run yet' : 'There is no such run',
    given: named,
    allowed: runs.map((entry) => entry.runId).join(', ') || undefined,
    remedy: runs.length > 0 ? 'name one of these' : 'start one: npx proxytune run --local DIR --category dog',
  });
}

/** The named run, or the newest that has a report. @throws RunUnknown */
export async function chooseReported(context: TableContext, named: string | undefined): Promise<string> {
  if (named !== undefined) return chooseRun(context, named);
  const runs = await listRuns(context);
  return runs.find((run) => run.status === 'SUCCEEDED')?.runId ?? chooseRun(context, undefined);
}

function noReport(runId: string, status: string | undefined): ProxytuneError {
  const running = status === 'RUNNING';
  return new ProxytuneError('RunUnknown', {
    what: running ? 'The run has no report yet' : 'The run has no report',
    given: `${runId}${status === undefined ? '' : `, which is ${status}`}`,
    remedy: running
      ? `wait until it is over; how far it is: npx proxytune status ${runId}`
      : `see how far it came: npx proxytune status ${runId}; go on with it: npx proxytune run --local --resume ${runId}`,
  });
}
