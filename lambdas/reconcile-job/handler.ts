/**
 * Checks the job of a stage when start-job found it over (a resumed run finds stages done) and whenever there was no
 * news of it for a while. A job that still runs is waited for, one that is over is finished here, and one that is
 * overdue is stopped (a transform would otherwise run, and cost, for ever).
 */

import { tryToDeleteModels } from '../../lib/aws/job-endings.ts';
import { stopTransform } from '../../lib/aws/jobs.ts';
import { readOutcome, recordOf } from '../../lib/aws/outcomes.ts';
import { finishJob, listJobs, markReported } from '../../lib/aws/table.ts';
import { jobError, jobMessage } from '../../lib/core/jobs/messages.ts';
import { type Outcome, recordedOutcome } from '../../lib/core/jobs/outcome.ts';
import { identityOf, isOf, type JobRecord } from '../../lib/core/jobs/records.ts';
import type { JobStage } from '../../lib/core/words.ts';
import { bucketContext, jobsContext } from '../shared/context.ts';
import { tableContext } from '../shared/table.ts';

/** A transform is stopped after so many times its longest run time; SageMaker itself ends a training. */
const OVERDUE = 1.25;

export interface ReconcileJobInput {
  readonly runId: string;
  readonly stage: JobStage;
  /** Round of proxies. @default - 1 */
  readonly round?: number;
}

export type Reconciled =
  | { readonly over: false }
  | { readonly over: true; readonly output: { readonly jobName: string; readonly seconds: number } };

/** @throws the job's own error by its name; StageTimedOut when it had to be stopped */
export async function handler({ runId, stage, round = 1 }: ReconcileJobInput): Promise<Reconciled> {
  const context = { ...bucketContext(), ...tableContext(), ...jobsContext() };
  const job = (await listJobs(context, runId)).filter((entry) => isOf(entry, stage, round)).at(-1);
  // A failure that was reported already is history: start-job makes the next attempt.
  if (job === undefined || (job.state === 'FAILED' && job.reported)) return { over: false };
  const identity = identityOf(job);
  const outcome = recordedOutcome(job) ?? (await readOutcome(context, job));
  if (outcome.over) {
    // Finished already by an event whose answer reached nobody: this answer is received.
    const first = await finishJob(context, identity, { ...recordOf(job, outcome), reported: true });
    if (!first) await markReported(context, identity);
    await tryToDeleteModels(context, [job]);
    if (outcome.ok) return { over: true, output: { jobName: job.jobName, seconds: outcome.seconds } };
    throw jobError(outcome.error, jobMessage(job, outcome.message));
  }
  if (isOverdue(job, outcome)) {
    await stopTransform(context, job);
    await tryToDeleteModels(context, [job]);
    const message = `The job did not end within ${job.maxRuntimeSeconds} seconds, so it was stopped.`;
    // complete-job adds the bill when the job has stopped.
    await finishJob(context, identity, { state: 'FAILED', reported: true, error: 'StageTimedOut', message });
    throw jobError('StageTimedOut', jobMessage(job, message));
  }
  return { over: false };
}

/** Counts from the start of billing: an attempt may have waited half a day for quota or capacity before. */
function isOverdue(job: JobRecord, { since }: Outcome & { over: false }): boolean {
  return since !== undefined && Date.now() - since.getTime() > job.maxRuntimeSeconds * 1000 * OVERDUE;
}
