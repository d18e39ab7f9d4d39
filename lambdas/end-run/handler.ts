/**
 * The failure path: stops what still runs, records the reason, and notifies the user. Called by the state machine, and
 * by its status change for the ends it cannot catch (aborted, timed out, a runtime error).
 */
import type { EventBridgeEvent } from 'aws-lambda';
import { deleteModelOf, type JobsContext, stopJob } from '../../lib/aws/jobs.ts';
import { mailWarning, publishEnd } from '../../lib/aws/notifications.ts';
import {
  finishJob,
  finishRun,
  listJobs,
  markReported,
  readRun,
  type TableContext,
  updateRun,
} from '../../lib/aws/table.ts';
import { failureMail, readCause } from '../../lib/core/jobs/messages.ts';
import { identityOf, type RunRecord, type RunStatus } from '../../lib/core/jobs/records.ts';
import { jobsContext, notificationsContext } from '../shared/context.ts';
import { tableContext } from '../shared/table.ts';

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
  const context = { ...tableContext(), ...jobsContext() };
  const { runId, status, failure } = 'runId' in event ? caught(event) : uncaught(event.detail);
  const answer = { error: failure.error, cause: failure.message };
  const before = await readRun(context, runId);
  if (!('runId' in event) && wasResumed(before, event.detail)) return answer;
  await stopJobs(context, runId);
  const endedAt = new Date().toISOString();
  const first = await finishRun(context, runId, {
    status,
    endedAt,
    error: failure.error,
    message: failure.message,
  });
  // An earlier call may have ended the run and then failed to notify.
  if (!first && (before?.status !== status || before.reported)) return answer;
  const mail = failureMail({ runId, subject: before?.subject ?? runId }, failure);
  try {
    await publishEnd(notificationsContext(), { runId, status, notify: before?.notify }, mail);
  } catch (error) {
    await updateRun(context, runId, { warning: mailWarning('The end could not be published', error) });
    // The next call, or the alarm, makes up for it; the run has failed already.
    throw error;
  }
  await updateRun(context, runId, { reported: true });
  return answer;
}

/** Checks whether the run was resumed since: so late an event must not stop what another execution started. */
function wasResumed(run: RunRecord | undefined, { stopDate }: StatusChange): boolean {
  return run !== undefined && typeof stopDate === 'number' && stopDate < Date.parse(run.begunAt);
}

function caught({ runId, error }: EndRunInput) {
  return { runId, status: 'FAILED' as RunStatus, failure: readCause(error) };
}

function uncaught(detail: StatusChange) {
  const runId = runOf(detail);
  if (detail.status === 'ABORTED') {
    const message =
      detail.cause ||
      'The run was stopped by hand. What to do: upload subject.json again to start another run.';
    return { runId, status: 'STOPPED' as RunStatus, failure: { error: 'Interrupted', message } };
  }
  const unnamed = detail.status === 'TIMED_OUT' ? 'States.Timeout' : 'States.Runtime';
  const failure = readCause({ Error: detail.error ?? unnamed, Cause: detail.cause ?? '' });
  return { runId, status: 'FAILED' as RunStatus, failure };
}

/** A run's first execution has its name; one that resumes it has another name, but the same input. */
function runOf({ name, input }: StatusChange): string {
  return input ? (JSON.parse(input) as { runId: string }).runId : name;
}

/** One job that cannot be stopped must not keep the others running. */
async function stopJobs(context: TableContext & JobsContext, runId: string): Promise<void> {
  const jobs = await listJobs(context, runId);
  const results = await Promise.allSettled(
    jobs.map(async (job) => {
      const identity = identityOf(job);
      // A failure that was never reported ended with the run: a resumed run makes the next attempt.
      if (job.state === 'FAILED' && !job.reported) await markReported(context, identity);
      if (job.state !== 'WAITING') return;
      await stopJob(context, job);
      const message = 'Stopped because its run ended.';
      await finishJob(context, identity, { state: 'FAILED', reported: true, error: 'JobStopped', message });
      await deleteModelOf(context, job);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
