/**
 * A job changed its state. The event is only a hint (it may come late, twice or never): the job is described, and
 * when it is over the waiting state of the machine gets the outcome, exactly once as far as the machine can tell.
 * When nothing waits under the token at that moment, the outcome stays unreported in the table, where start-job and
 * reconcile-job find it. A job that was ended before it had stopped gets its bill here, without another answer.
 */
import type { EventBridgeEvent } from 'aws-lambda';
import {
  type ExecutionsContext,
  sendTaskFailure,
  sendTaskHeartbeat,
  sendTaskSuccess,
} from '../../lib/aws/executions.ts';
import { completeBill, deleteModel, updateTotal } from '../../lib/aws/job-endings.ts';
import type { JobsContext } from '../../lib/aws/jobs.ts';
import { readOutcome, recordOf } from '../../lib/aws/outcomes.ts';
import { finishJob, markReported, readJob, type TableContext } from '../../lib/aws/table.ts';
import { jobMessage } from '../../lib/core/jobs/messages.ts';
import type { Outcome } from '../../lib/core/jobs/outcome.ts';
import type { JobRecord } from '../../lib/core/jobs/records.ts';
import { type JobIdentity, parseJobName } from '../../lib/core/names.ts';
import { bucketContext, executionsContext, jobsContext } from '../shared/context.ts';
import { setting } from '../shared/settings.ts';
import { tableContext } from '../shared/table.ts';

interface StateChange {
  readonly TrainingJobName?: string;
  readonly TransformJobName?: string;
}

export async function handler(event: EventBridgeEvent<string, StateChange>): Promise<{ answered: boolean }> {
  const context = { ...bucketContext(), ...tableContext(), ...jobsContext(), ...executionsContext() };
  const name = event.detail.TrainingJobName ?? event.detail.TransformJobName ?? '';
  const identity = parseJobName(name, setting('JOB_PREFIX'));
  const job = identity && (await readJob(context, identity));
  if (identity === undefined || job === undefined) return { answered: false };
  if (job.reported) {
    await settle(context, job);
    return { answered: false };
  }
  const outcome = await readOutcome(context, job);
  if (!outcome.over) {
    await sendTaskHeartbeat(context, job.token);
    return { answered: false };
  }
  // Stored before it is sent: the machine may call start-job at once, which must find a failed job failed.
  await finishJob(context, identity, { ...recordOf(job, outcome), reported: false });
  const answered = await report(context, identity, job, outcome);
  if (answered) await markReported(context, identity);
  // If this fails, the event is delivered again and comes to `settle`.
  await deleteModel(context, job);
  return { answered };
}

/** Finishes a job whose outcome the machine already has. Does not call SageMaker if nothing is left to do. */
async function settle(context: TableContext & JobsContext, job: JobRecord): Promise<void> {
  if (!job.seconds) {
    const { seconds } = await completeBill(context, job);
    if (seconds) await updateTotal(context, job.runId);
  }
  await deleteModel(context, job);
}

/** @returns whether the machine accepted it */
async function report(
  context: TableContext & ExecutionsContext,
  identity: JobIdentity,
  job: JobRecord,
  outcome: Outcome & { over: true },
): Promise<boolean> {
  // Read again: while the job was described, start-job may have stored the token that is waited under now.
  const token = (await readJob(context, identity))?.token ?? job.token;
  if (outcome.ok) return sendTaskSuccess(context, token, { jobName: job.jobName, seconds: outcome.seconds });
  return sendTaskFailure(context, token, { error: outcome.error, cause: jobMessage(job, outcome.message) });
}
