/**
 * A job changed its state. The event is only a hint (it may come late, twice or never): the job is described, and
 * when it is over the waiting state of the machine is answered, exactly once as far as the machine can tell.
 * When nobody waits under the token just then, the outcome stays untold in the table, where start-job and
 * reconcile-job find it.
 */
import {
  InvalidToken,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import type { EventBridgeEvent } from 'aws-lambda';
import { sfn } from '../../lib/aws/lambda/clients.ts';
import { deleteModelOf, endOf, lookAt } from '../../lib/aws/lambda/jobs.ts';
import { endJob, markTold, readJob } from '../../lib/aws/lambda/table.ts';
import { jobMessage } from '../../lib/core/jobs/messages.ts';
import type { Outcome } from '../../lib/core/jobs/outcome.ts';
import type { JobRecord } from '../../lib/core/jobs/records.ts';
import { type JobIdentity, parseJobName } from '../../lib/core/names.ts';

interface StateChange {
  readonly TrainingJobName?: string;
  readonly TransformJobName?: string;
}

export async function handler(event: EventBridgeEvent<string, StateChange>): Promise<{ answered: boolean }> {
  const identity = parseJobName(event.detail.TrainingJobName ?? event.detail.TransformJobName ?? '');
  const job = identity && (await readJob(identity));
  if (identity === undefined || job === undefined || job.told) return { answered: false };
  const outcome = await lookAt(job);
  if (!outcome.over) {
    await heard(sfn().send(new SendTaskHeartbeatCommand({ taskToken: job.token })));
    return { answered: false };
  }
  // Marked before it is told: the machine may call start-job the moment it hears, and must find a failed job failed.
  await endJob(identity, { ...endOf(job, outcome), told: false });
  const answered = await tell(identity, job, outcome);
  if (answered) await markTold(identity);
  await deleteModelOf(job);
  return { answered };
}

/** @returns whether the machine heard it */
async function tell(
  identity: JobIdentity,
  job: JobRecord,
  outcome: Outcome & { over: true },
): Promise<boolean> {
  // Read again: while the job was described, start-job may have brought the token that is waited under now.
  const taskToken = (await readJob(identity))?.token ?? job.token;
  if (outcome.ok) {
    const output = JSON.stringify({ jobName: job.jobName, seconds: outcome.seconds });
    return heard(sfn().send(new SendTaskSuccessCommand({ taskToken, output })));
  }
  const cause = jobMessage(job, outcome.message).slice(0, 32_768);
  return heard(sfn().send(new SendTaskFailureCommand({ taskToken, error: outcome.error, cause })));
}

/** Whether somebody waited under the token; a void one was answered before or has expired. */
async function heard(sending: Promise<unknown>): Promise<boolean> {
  try {
    await sending;
    return true;
  } catch (error) {
    const closed =
      error instanceof TaskTimedOut || error instanceof TaskDoesNotExist || error instanceof InvalidToken;
    if (!closed) throw error;
    return false;
  }
}
