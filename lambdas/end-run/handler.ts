/**
 * The failure path: stops what still runs, records the reason, and notifies the user. Called by the state machine, and
 * by its status change for the ends it cannot catch (aborted, timed out, a runtime error).
 */
import type { EventBridgeEvent } from 'aws-lambda';
import { deleteModel } from '../../lib/aws/job-endings.ts';
import { type JobsContext, stopJob } from '../../lib/aws/jobs.ts';
import { announceEnd } from '../../lib/aws/notifications.ts';
import { joinRun } from '../../lib/aws/run-executions.ts';
import {
  finishJob,
  finishRun,
  listJobs,
  markReported,
  readRun,
  type TableContext,
} from '../../lib/aws/table.ts';
import type { ExecutionIdentity } from '../../lib/core/jobs/executions.ts';
import { failureMail, jobError, type RunError, readCause } from '../../lib/core/jobs/messages.ts';
import {
  identityOf,
  isBillOpen,
  type JobRecord,
  NO_BILL,
  type RunRecord,
  type RunStatus,
  STOPPED_WITH_RUN,
} from '../../lib/core/jobs/records.ts';
import { stageOutcomes, totalUsd } from '../../lib/core/jobs/report-stages.ts';
import { jobsContext, notificationsContext } from '../shared/context.ts';
import { tableContext } from '../shared/table.ts';

export interface EndRunInput {
  readonly runId: string;
  readonly error: { readonly Error?: string; readonly Cause?: string };
  /** The execution that failed. @default - unknown */
  readonly execution?: ExecutionIdentity;
  /** True if the failed execution was redriven, so that its run continues. @default - false */
  readonly redriven?: boolean;
}

interface StatusChange {
  readonly name: string;
  readonly status: string;
  readonly input?: string | null;
  /** Milliseconds since the epoch. */
  readonly stopDate?: number | null;
  readonly redriveCount?: number | null;
  readonly error?: string | null;
  readonly cause?: string | null;
}

type Context = TableContext & JobsContext;

/** @throws the error of the run when the state machine calls, so that a redrive returns to this state */
export async function handler(event: EndRunInput | EventBridgeEvent<string, StatusChange>): Promise<void> {
  const context = { ...tableContext(), ...jobsContext() };
  if ('runId' in event) return fail(context, event);
  const { runId, status, failure } = uncaught(event.detail);
  if (isOfAnotherExecution(await readRun(context, runId), event.detail)) return;
  await end(context, runId, status, failure);
}

/**
 * Fails the execution with the error of its run. Step Functions continues a redriven execution in the state that
 * failed. That is this one; it then succeeds, and the machine runs the pipeline again.
 */
async function fail(context: Context, { runId, error, execution, redriven }: EndRunInput): Promise<void> {
  if (redriven) return;
  const failure = readCause(error);
  try {
    if (await mayEnd(context, runId, execution)) await end(context, runId, 'FAILED', failure);
  } catch (fault) {
    // The failed execution's status change calls this lambda again; the first error must not be lost over this one.
    console.error(`run ${runId} was not ended`, fault);
  }
  const raised = jobError(failure.error, failure.message);
  // Lambda puts the stack into the execution's cause, where the reader looks for the message.
  raised.stack = '';
  throw raised;
}

/** Returns true if no other execution works on the run or has finished it. */
async function mayEnd(
  context: TableContext,
  runId: string,
  execution: ExecutionIdentity | undefined,
): Promise<boolean> {
  try {
    await joinRun(context, runId, execution);
    return true;
  } catch (error) {
    return (error as Error).name === 'Interrupted';
  }
}

async function end(context: Context, runId: string, status: RunStatus, failure: RunError): Promise<void> {
  const before = await readRun(context, runId);
  await stopJobs(context, runId);
  const jobs = await listJobs(context, runId);
  const endedAt = new Date().toISOString();
  const first = await finishRun(context, runId, {
    status,
    endedAt,
    error: failure.error,
    message: failure.message,
    usd: totalUsd(stageOutcomes(jobs)),
  });
  // For one that was recorded before the run was over, and after the jobs were listed; a later one stops itself.
  await stopJobs(context, runId);
  // An earlier call may have ended the run and then failed to notify.
  if (!first && (before?.status !== status || before.reported)) return;
  const bill = { usd: totalUsd(stageOutcomes(jobs)), open: jobs.some(isBillOpen) };
  const mail = failureMail({ runId, subject: before?.subject ?? runId, bill }, failure);
  const fault = await announceEnd(
    { ...context, ...notificationsContext() },
    { runId, status, notify: before?.notify },
    mail,
  );
  // The next call, or the alarm, makes up for it; the run has failed already.
  if (fault !== undefined) throw fault;
}

/**
 * Returns true for an event of an execution that no longer works on the run, or that has been redriven since. Such an
 * event must not stop the jobs that were started later.
 */
function isOfAnotherExecution(
  run: RunRecord | undefined,
  { name, stopDate, redriveCount }: StatusChange,
): boolean {
  if (run === undefined) return false;
  if (run.execution !== undefined && run.execution !== name) return run.status === 'RUNNING';
  if (typeof redriveCount === 'number' && redriveCount < (run.redrives ?? 0)) return true;
  return typeof stopDate === 'number' && stopDate < Date.parse(run.begunAt);
}

function uncaught(detail: StatusChange): { runId: string; status: RunStatus; failure: RunError } {
  const runId = runOf(detail);
  if (detail.status === 'ABORTED') {
    const message =
      detail.cause ||
      'The run was stopped by hand. What to do: redrive its execution in the Step Functions console to continue it, or upload subject.json again to start another run.';
    return { runId, status: 'STOPPED', failure: { error: 'Interrupted', message } };
  }
  const unnamed = detail.status === 'TIMED_OUT' ? 'States.Timeout' : 'States.Runtime';
  const failure = readCause({ Error: detail.error ?? unnamed, Cause: detail.cause ?? '' });
  return { runId, status: 'FAILED', failure };
}

/** A run's first execution has its name; one that resumes it has another name, but the same input. */
function runOf({ name, input }: StatusChange): string {
  return input ? (JSON.parse(input) as { runId: string }).runId : name;
}

/** One job that cannot be stopped must not keep the others running. */
async function stopJobs(context: Context, runId: string): Promise<void> {
  const jobs = await listJobs(context, runId);
  const results = await Promise.allSettled(jobs.map((job) => endJob(context, job)));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function endJob(context: Context, job: JobRecord): Promise<void> {
  const identity = identityOf(job);
  // A failure that was never reported ended with the run: a resumed run makes the next attempt.
  if (job.state === 'FAILED' && !job.reported) await markReported(context, identity);
  if (job.state === 'WAITING') {
    // complete-job adds the bill when the job has stopped; a job that SageMaker does not know costs nothing.
    const bill = (await stopJob(context, job)) === 'missing' ? NO_BILL : {};
    await finishJob(context, identity, { ...STOPPED_WITH_RUN, ...bill });
  }
  await deleteModel(context, job);
}
