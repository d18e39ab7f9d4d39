/** Recovery from jobs that an earlier service left in progress. */
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

import { type JobContext, jobFolder, jobLogFile } from './jobs/context.ts';
import { setTrainingStatus } from './jobs/training-record.ts';
import { isTerminal } from './state/records.ts';

const REASON =
  'InternalServerError: We encountered an internal error. Please try again. ' +
  '(The local SageMaker service ended while this job ran, and its processes with it.)';

/** Fails all jobs in progress, whose containers ended with the service that ran them. */
export function failOrphans(context: JobContext): void {
  for (const job of context.state.trainingJobs.all()) {
    if (isTerminal(job.status)) continue;
    job.failureReason = REASON;
    setTrainingStatus(context, job, 'Failed', REASON);
    clearFolder(context.dataDir, job.name);
    context.log(`${job.name}: failed, an earlier service left it in progress`);
  }
  for (const job of context.state.transformJobs.all()) {
    if (isTerminal(job.status)) continue;
    Object.assign(job, { failureReason: REASON, status: 'Failed', ended: Date.now(), modified: Date.now() });
    context.state.transformJobs.put(job);
    context.events.transform(job);
    clearFolder(context.dataDir, job.name);
    context.log(`${job.name}: failed, an earlier service left it in progress`);
  }
}

/** Deletes everything in a job's folder except its log. */
function clearFolder(dataDir: string, jobName: string): void {
  const folder = jobFolder(dataDir, jobName);
  const log = basename(jobLogFile(dataDir, jobName));
  for (const name of readdirSafely(folder)) {
    if (name !== log) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Lists a folder; a job that never left the queue has none. */
function readdirSafely(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
