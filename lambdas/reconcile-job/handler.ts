/**
 * Looks at the job of a stage when start-job found it over (a resumed run finds stages done) and whenever nothing was
 * heard of it for a while. A job that still runs goes on being waited for, one that is over is settled here, and one
 * that is overdue is stopped (a transform would otherwise run, and cost, for ever).
 */

import { deleteModelOf, endOf, lookAt, stopJob } from '../../lib/aws/lambda/jobs.ts';
import { endJob, jobsOf, markTold } from '../../lib/aws/lambda/table.ts';
import { jobError, jobMessage } from '../../lib/core/jobs/messages.ts';
import { type Outcome, recordedOutcome } from '../../lib/core/jobs/outcome.ts';
import { identityOf, isOf, type JobRecord } from '../../lib/core/jobs/records.ts';
import type { JobStage } from '../../lib/core/words.ts';

/** How far beyond its longest run time a transform is stopped; a training is ended by SageMaker's own limit. */
const OVERDUE = 1.25;

export interface ReconcileJobInput {
  readonly runId: string;
  readonly stage: JobStage;
  /** Which time the road comes by. @default - 1 */
  readonly round?: number;
}

export type Reconciled =
  | { readonly over: false }
  | { readonly over: true; readonly output: { readonly jobName: string; readonly seconds: number } };

/** @throws the job's own error by its name; StageTimedOut when it had to be stopped */
export async function handler({ runId, stage, round = 1 }: ReconcileJobInput): Promise<Reconciled> {
  const job = (await jobsOf(runId)).filter((entry) => isOf(entry, stage, round)).at(-1);
  // A failure that was told already is history: start-job makes the next attempt.
  if (job === undefined || (job.state === 'FAILED' && job.told)) return { over: false };
  const identity = identityOf(job);
  const outcome = recordedOutcome(job) ?? (await lookAt(job));
  if (outcome.over) {
    // Settled already by an event whose answer nobody heard: what we say now is heard.
    if (!(await endJob(identity, { ...endOf(job, outcome), told: true }))) await markTold(identity);
    await deleteModelOf(job);
    if (outcome.ok) return { over: true, output: { jobName: job.jobName, seconds: outcome.seconds } };
    throw jobError(outcome.error, jobMessage(job, outcome.message));
  }
  if (isOverdue(job, outcome)) {
    await stopJob(job);
    await deleteModelOf(job);
    const message = `The job did not end within ${job.maxRuntimeSeconds} seconds, so it was stopped.`;
    await endJob(identity, { state: 'FAILED', told: true, error: 'StageTimedOut', message });
    throw jobError('StageTimedOut', jobMessage(job, message));
  }
  return { over: false };
}

/** Counts from when SageMaker bills: an attempt may have waited half a day for quota or capacity before. */
function isOverdue(job: JobRecord, { since }: Outcome & { over: false }): boolean {
  return since !== undefined && Date.now() - since.getTime() > job.maxRuntimeSeconds * 1000 * OVERDUE;
}
