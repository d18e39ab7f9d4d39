/**
 * The failure path: stops what still runs, records why, and tells the user. Called by the state machine, and by its
 * status change for the ends it cannot catch (aborted, timed out, a runtime error).
 */
import { PublishCommand } from '@aws-sdk/client-sns';
import type { EventBridgeEvent } from 'aws-lambda';
import { sns } from '../../lib/aws/lambda/clients.ts';
import { setting } from '../../lib/aws/lambda/environment.ts';
import { deleteModelOf, stopJob } from '../../lib/aws/lambda/jobs.ts';
import { endJob, endRun, jobsOf, markTold, noteRun, readRun } from '../../lib/aws/lambda/table.ts';
import { failureMail, type RunError, readCause } from '../../lib/core/jobs/messages.ts';
import { identityOf, type RunRecord, type RunStatus } from '../../lib/core/jobs/records.ts';

export interface EndRunInput {
  readonly runId: string;
  readonly error: { readonly Error?: string; readonly Cause?: string };
}

interface StatusChange {
  readonly name: string;
  readonly status: string;
  readonly input?: string | null;
  /** Milliseconds since the epoch. */
  readonly stopDate?: number | null;
  readonly error?: string | null;
  readonly cause?: string | null;
}

export async function handler(
  event: EndRunInput | EventBridgeEvent<string, StatusChange>,
): Promise<{ error: string; cause: string }> {
  const { runId, status, failure } = 'runId' in event ? caught(event) : uncaught(event.detail);
  const answer = { error: failure.error, cause: failure.message };
  const before = await readRun(runId);
  if (!('runId' in event) && goesOn(before, event.detail)) return answer;
  await stopJobs(runId);
  const endedAt = new Date().toISOString();
  const first = await endRun(runId, { status, endedAt, error: failure.error, message: failure.message });
  // An earlier call may have ended the run and then failed to tell.
  if (!first && (before?.status !== status || before.told)) return answer;
  await notify({ runId, subject: before?.subject ?? runId }, before?.notify, status, failure);
  await noteRun(runId, { told: true });
  return answer;
}

/** Whether the run was resumed since; an event that comes so late must not stop what another execution started. */
function goesOn(run: RunRecord | undefined, { stopDate }: StatusChange): boolean {
  return run !== undefined && typeof stopDate === 'number' && stopDate < Date.parse(run.begunAt);
}

function caught({ runId, error }: EndRunInput) {
  return { runId, status: 'FAILED' as RunStatus, failure: readCause(error) };
}

function uncaught(detail: StatusChange) {
  const runId = runOf(detail);
  if (detail.status === 'ABORTED') {
    const message =
      detail.cause || 'The run was stopped by hand. What to do: upload subject.json again to start anew.';
    return { runId, status: 'STOPPED' as RunStatus, failure: { error: 'Interrupted', message } };
  }
  const unnamed = detail.status === 'TIMED_OUT' ? 'States.Timeout' : 'States.Runtime';
  const failure = readCause({ Error: detail.error ?? unnamed, Cause: detail.cause ?? '' });
  return { runId, status: 'FAILED' as RunStatus, failure };
}

/** A run's first execution bears its name; one that resumes it bears another, but the same input. */
function runOf({ name, input }: StatusChange): string {
  return input ? (JSON.parse(input) as { runId: string }).runId : name;
}

/** One job that cannot be stopped must not keep the others running. */
async function stopJobs(runId: string): Promise<void> {
  const jobs = await jobsOf(runId);
  const results = await Promise.allSettled(
    jobs.map(async (job) => {
      const identity = identityOf(job);
      // A failure that nobody heard ended with the run: a run that is resumed makes the next attempt.
      if (job.state === 'FAILED' && !job.told) await markTold(identity);
      if (job.state !== 'WAITING') return;
      await stopJob(job);
      const message = 'Stopped because its run ended.';
      await endJob(identity, { state: 'FAILED', told: true, error: 'JobStopped', message });
      await deleteModelOf(job);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function notify(
  run: { runId: string; subject: string },
  address: string | undefined,
  status: RunStatus,
  failure: RunError,
): Promise<void> {
  const mail = failureMail(run, failure);
  await sns().send(
    new PublishCommand({
      TopicArn: setting('TOPIC_ARN'),
      Subject: mail.subject,
      Message: mail.text,
      MessageAttributes: {
        run: { DataType: 'String', StringValue: run.runId },
        status: { DataType: 'String', StringValue: status },
        ...(address === undefined ? {} : { notify: { DataType: 'String', StringValue: address } }),
      },
    }),
  );
}
