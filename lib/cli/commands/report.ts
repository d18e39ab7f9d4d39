/** `proxytune report [RUN]`: brings the report of a run to this disk, readable offline. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Place } from '../../aws/context.ts';
import { type Metrics, metrics as metricsSchema } from '../../core/contract/metrics.ts';
import { names } from '../../core/contract/names.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { keys } from '../../core/keys.ts';
import { listKeys, listRuns, readBytes, readObject, readRunView } from '../run-state.ts';

export interface LocalReport {
  /** The page, as an absolute path. */
  readonly page: string;
  readonly metrics: Metrics;
}

/**
 * Copies a run's report below `dataDir/runs/<run>/report/`, whole or not at all.
 * @throws RunUnknown when the run has no report
 */
export async function fetchReport(place: Place, runId: string, dataDir: string): Promise<LocalReport> {
  const text = await readObject(place, keys.metrics(runId));
  if (text === undefined) throw noReport(runId, (await readRunView(place, runId))?.status);
  const folder = resolve(dataDir, keys.report(runId));
  const incoming = `${folder}.incoming`;
  await rm(incoming, { recursive: true, force: true });
  for (const key of await listKeys(place, keys.report(runId))) {
    const file = join(incoming, key.slice(keys.report(runId).length));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, await readBytes(place, key));
  }
  await rm(folder, { recursive: true, force: true });
  await rename(incoming, folder);
  return { page: join(folder, names.files.reportPage), metrics: metricsSchema.parse(JSON.parse(text)) };
}

/** The named run, or the newest. @throws RunUnknown, naming the runs there are */
export async function chooseRun(place: Place, named: string | undefined): Promise<string> {
  const runs = await listRuns(place);
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
export async function chooseReported(place: Place, named: string | undefined): Promise<string> {
  if (named !== undefined) return chooseRun(place, named);
  const runs = await listRuns(place);
  return runs.find((run) => run.status === 'SUCCEEDED')?.runId ?? chooseRun(place, undefined);
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
