/**
 * Looks at the job of a stage, before it is started (a resumed run finds stages done) and whenever nothing was heard
 * of it for a while. A job that still runs goes on being waited for, one that is over is settled here, and one that
 * is overdue is stopped (a transform would otherwise run, and cost, for ever).
 */
import { jobError, jobMessage } from '../../lib/core/messages.ts';
import type { JobRecord } from '../../lib/core/records.ts';
import type { JobStage } from '../../lib/core/words.ts';
import { deleteModelOf, endOf, lookAt, stopJob } from '../shared/jobs.ts';
import { endJob, jobsOf } from '../shared/table.ts';

/** SageMaker's own limit ends a training; only a job that outlives it by this much is stopped by us. */
const OVERDUE = 1.25;

export interface ReconcileJobInput {
  readonly runId: string;
  readonly stage: JobStage;
}

export type Reconciled =
  | { readonly over: false }
  | { readonly over: true; readonly output: { readonly jobName: string; readonly seconds: number } };

/** @throws the job's own error by its name; StageTimedOut when it had to be stopped */
export async function handler({ runId, stage }: ReconcileJobInput): Promise<Reconciled> {
  const job = (await jobsOf(runId)).filter((entry) => entry.stage === stage).at(-1);
  // A failure that was told already is history: start-job makes the next attempt.
  if (job === undefined || job.state === 'FAILED') return { over: false };
  const identity = { run: runId, stage, attempt: job.attempt };
  const outcome = await lookAt(job);
  if (outcome.over) {
    await endJob(identity, { ...endOf(job, outcome), told: true });
    await deleteModelOf(job);
    if (outcome.ok) return { over: true, output: { jobName: job.jobName, seconds: outcome.seconds } };
    throw jobError(outcome.error, jobMessage(job, outcome.message));
  }
  if (isOverdue(job)) {
    await stopJob(job);
    const message = `The job did not end within ${job.maxRuntimeSeconds} seconds, so it was stopped.`;
    await endJob(identity, { state: 'FAILED', told: true, error: 'StageTimedOut', message });
    throw jobError('StageTimedOut', jobMessage(job, message));
  }
  return { over: false };
}

function isOverdue(job: JobRecord): boolean {
  // A spot job may wait for capacity without running; SageMaker's MaxWaitTime bounds that.
  if (job.kind === 'training') return false;
  return Date.now() - Date.parse(job.createdAt) > job.maxRuntimeSeconds * 1000 * OVERDUE;
}
