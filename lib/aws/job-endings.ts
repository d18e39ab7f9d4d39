/** Final work on a job that is over: its bill, which SageMaker knows only then, and the model of a transform. */

import { outcomeOf } from '../core/jobs/outcome.ts';
import { identityOf, isBillOpen, type JobRecord, NO_BILL } from '../core/jobs/records.ts';
import { stageOutcomes, totalUsd } from '../core/jobs/report-stages.ts';
import { deleteModelOf, describeJob, type JobsContext } from './jobs.ts';
import { billOf } from './outcomes.ts';
import { billJob, readRecords, type TableContext, updateJob, updateRun } from './table.ts';

/**
 * Completes the bill of a job whose end was recorded while SageMaker was still stopping it.
 * @returns the job with its bill, or unchanged if the bill is not known yet
 */
export async function completeBill(context: JobsContext & TableContext, job: JobRecord): Promise<JobRecord> {
  const description = await describeJob(context, job);
  const outcome = description && outcomeOf(description);
  if (outcome?.over === false) return job;
  const bill = outcome === undefined ? NO_BILL : billOf(job, outcome.seconds);
  await billJob(context, identityOf(job), bill);
  return { ...job, ...bill };
}

/** Completes the bills of jobs that have none. @returns all jobs, with the bills that are known */
export async function completeBills(
  context: JobsContext & TableContext,
  jobs: readonly JobRecord[],
): Promise<JobRecord[]> {
  return Promise.all(jobs.map((job) => (isBillOpen(job) ? completeBill(context, job) : job)));
}

/** Brings the total of a run that is over up to date with the bills of its jobs. */
export async function updateTotal(context: TableContext, runId: string): Promise<void> {
  const records = await readRecords(context, runId);
  if (records === undefined || records.run.status === 'RUNNING') return;
  await updateRun(context, runId, { usd: totalUsd(stageOutcomes(records.jobs)) });
}

/** Deletes the model of a transform, once. */
export async function deleteModel(context: JobsContext & TableContext, job: JobRecord): Promise<void> {
  if (job.kind !== 'transform' || job.modelDeleted === true) return;
  await deleteModelOf(context, job);
  await updateJob(context, identityOf(job), { modelDeleted: true });
}

/** Deletes the models of jobs. One that cannot be deleted costs nothing, and the end of the run tries again. */
export async function tryToDeleteModels(
  context: JobsContext & TableContext,
  jobs: readonly JobRecord[],
): Promise<void> {
  for (const job of jobs) {
    await deleteModel(context, job).catch((error: unknown) =>
      console.warn(`the model of ${job.jobName} is not deleted yet`, error),
    );
  }
}
