/** What becomes of jobs an earlier service left in progress. */
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

import { type JobContext, jobFolder, jobLogFile } from './jobs/context.ts';
import { moveTraining } from './jobs/training-record.ts';
import { isTerminal } from './state/records.ts';

const REASON =
  'InternalServerError: We encountered an internal error. Please try again. ' +
  '(The local SageMaker service ended while this job ran, and its processes with it.)';

/** Fails all jobs found in progress: their containers ended with the service that ran them. */
export function failOrphans(context: JobContext): void {
  for (const job of context.state.trainingJobs.all()) {
    if (isTerminal(job.status)) continue;
    job.failureReason = REASON;
    moveTraining(context, job, 'Failed', REASON);
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

/** Takes away all of a job's folder but its log. */
function clearFolder(dataDir: string, jobName: string): void {
  const folder = jobFolder(dataDir, jobName);
  const log = basename(jobLogFile(dataDir, jobName));
  for (const name of readdirSafely(folder)) {
    if (name !== log) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** A job that never left the queue has no folder. */
function readdirSafely(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
