/**
 * A job changed its state. The event is only a hint (it may come late, twice or never): the job is described, and
 * when it is over the waiting state of the machine is answered, exactly once as far as the machine can tell.
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
import { jobMessage } from '../../lib/core/messages.ts';
import { parseJobName } from '../../lib/core/names.ts';
import type { Outcome } from '../../lib/core/outcome.ts';
import type { JobRecord } from '../../lib/core/records.ts';
import { sfn } from '../shared/clients.ts';
import { deleteModelOf, endOf, lookAt } from '../shared/jobs.ts';
import { endJob, markTold, readJob } from '../shared/table.ts';

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
    await answer(sfn().send(new SendTaskHeartbeatCommand({ taskToken: job.token })));
    return { answered: false };
  }
  // Marked before it is told: the machine may call start-job the moment it hears, and must find a failed job failed.
  await endJob(identity, { ...endOf(job, outcome), told: false });
  await tell(job, outcome);
  await markTold(identity);
  await deleteModelOf(job);
  return { answered: true };
}

async function tell(job: JobRecord, outcome: Outcome & { over: true }): Promise<void> {
  if (outcome.ok) {
    const output = JSON.stringify({ jobName: job.jobName, seconds: outcome.seconds });
    await answer(sfn().send(new SendTaskSuccessCommand({ taskToken: job.token, output })));
    return;
  }
  const cause = jobMessage(job, outcome.message).slice(0, 32_768);
  await answer(sfn().send(new SendTaskFailureCommand({ taskToken: job.token, error: outcome.error, cause })));
}

/** A token that is void was answered before or has expired; the reconcile step looks after the latter. */
async function answer(sending: Promise<unknown>): Promise<void> {
  try {
    await sending;
  } catch (error) {
    const closed =
      error instanceof TaskTimedOut || error instanceof TaskDoesNotExist || error instanceof InvalidToken;
    if (!closed) throw error;
  }
}
