/**
 * The failure path: stops what still runs, records why, and tells the user. Called by the state machine, and by its
 * status change for the ends it cannot catch (aborted, timed out, a runtime error).
 */
import { PublishCommand } from '@aws-sdk/client-sns';
import type { EventBridgeEvent } from 'aws-lambda';
import { failureMail, type RunError, readCause } from '../../lib/core/messages.ts';
import type { RunStatus } from '../../lib/core/records.ts';
import { sns } from '../shared/clients.ts';
import { setting } from '../shared/environment.ts';
import { deleteModelOf, stopJob } from '../shared/jobs.ts';
import { endJob, endRun, jobsOf, readRun } from '../shared/table.ts';

export interface EndRunInput {
  readonly runId: string;
  readonly error: { readonly Error?: string; readonly Cause?: string };
}

interface StatusChange {
  readonly name: string;
  readonly status: string;
  readonly input?: string | null;
  readonly error?: string | null;
  readonly cause?: string | null;
}

export async function handler(
  event: EndRunInput | EventBridgeEvent<string, StatusChange>,
): Promise<{ error: string; cause: string }> {
  const { runId, status, failure } = 'runId' in event ? caught(event) : uncaught(event.detail);
  await stopJobs(runId);
  const run = await readRun(runId);
  const endedAt = new Date().toISOString();
  const first = await endRun(runId, { status, endedAt, error: failure.error, message: failure.message });
  if (first) await notify({ runId, subject: run?.subject ?? runId }, run?.notify, status, failure);
  return { error: failure.error, cause: failure.message };
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
  const failure = readCause({ Error: detail.error ?? `States.${detail.status}`, Cause: detail.cause ?? '' });
  return { runId, status: 'FAILED' as RunStatus, failure };
}

/** A run's first execution bears its name; one that resumes it bears another, but the same input. */
function runOf({ name, input }: StatusChange): string {
  return input ? (JSON.parse(input) as { runId: string }).runId : name;
}

/** One job that cannot be stopped must not keep the others running. */
async function stopJobs(runId: string): Promise<void> {
  const waiting = (await jobsOf(runId)).filter((job) => job.state === 'WAITING');
  const results = await Promise.allSettled(
    waiting.map(async (job) => {
      await stopJob(job);
      await endJob(
        { run: runId, stage: job.stage, attempt: job.attempt },
        { state: 'FAILED', told: true, error: 'JobStopped', message: 'Stopped because its run ended.' },
      );
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
