/** The outcome of a job, read from SageMaker's own description of it (never from an event, which is a hint). */
import { type ErrorName, isErrorName, parseFailure } from '../errors.ts';
import { neverSuffices, type QuotaRefusal, quotaIn } from './quota.ts';
import type { JobRecord } from './records.ts';

/**
 * Thrown by start-job when the stage's job is over already: not a failure (so not in the catalogue of errors), but
 * a signal to the state machine to ask reconcile-job for the outcome instead of waiting for an event that will not come.
 */
export const JOB_OVER = 'JobOver';

export type Outcome =
  | {
      readonly over: false;
      readonly status: string;
      /** Since when a transform has been billed; nothing else limits its time. */
      readonly since?: Date;
    }
  | {
      readonly over: true;
      readonly ok: true;
      readonly seconds: number;
      /** Where SageMaker put what a training made. */
      readonly artifact?: string;
    }
  | {
      readonly over: true;
      readonly ok: false;
      readonly seconds: number;
      readonly error: ErrorName;
      readonly message: string;
    };

/** The fields of DescribeTrainingJob and DescribeTransformJob that are read here. */
export interface JobDescription {
  readonly TrainingJobStatus?: string | undefined;
  readonly SecondaryStatus?: string | undefined;
  readonly BillableTimeInSeconds?: number | undefined;
  readonly TrainingStartTime?: Date | undefined;
  readonly TrainingEndTime?: Date | undefined;
  readonly ModelArtifacts?: { readonly S3ModelArtifacts?: string | undefined } | undefined;
  readonly TransformJobStatus?: string | undefined;
  readonly TransformStartTime?: Date | undefined;
  readonly TransformEndTime?: Date | undefined;
  readonly FailureReason?: string | undefined;
}

/** How SageMaker's failure reasons begin, as seen in production; the first that fits names the error. */
const REASONS: readonly (readonly [RegExp, ErrorName])[] = [
  [/CapacityError/, 'CapacityUnavailable'],
  [/InternalServerError/, 'ServiceFault'],
  [/Out of Memory|instance type with more memory/i, 'OutOfMemory'],
  [/disk space/i, 'OutOfDisk'],
  [/Cannot pull algorithm container|Data download failed/i, 'JobRefused'],
];

/**
 * The end of a container by SIGKILL, as SageMaker or a launcher in the container reports it (KILLED of
 * containers/proxytune/training/workers.py). Unless the job was stopped or out of time, the signal comes from the
 * kernel, because memory ran out. The container cannot write a failure file then.
 */
const KILLED = /exit ?code:? *(137|-9)(?!\d)/i;

export function outcomeOf(job: JobDescription): Outcome {
  const status = job.TrainingJobStatus ?? job.TransformJobStatus ?? 'Unknown';
  const seconds = secondsOf(job);
  const artifact = job.ModelArtifacts?.S3ModelArtifacts;
  if (status === 'Completed') return { over: true, ok: true, seconds, ...(artifact && { artifact }) };
  if (status === 'Failed') return { over: true, ok: false, seconds, ...failure(job.FailureReason ?? '') };
  // Running out of time arrives as Stopped, not as Failed.
  if (status === 'Stopped' && /^Max(Runtime|WaitTime)Exceeded$/.test(job.SecondaryStatus ?? '')) {
    return {
      over: true,
      ok: false,
      seconds,
      error: 'JobOutOfTime',
      message: `The job ended as ${job.SecondaryStatus}`,
    };
  }
  if (status === 'Stopped') {
    return { over: true, ok: false, seconds, error: 'JobStopped', message: 'The job was stopped' };
  }
  return { over: false, status, ...(job.TransformStartTime && { since: job.TransformStartTime }) };
}

/**
 * The outcome of a transform that is over: it has succeeded when every chunk has its output, whatever SageMaker calls
 * its end. It also completes on an empty or wrong manifest, and may fail or be stopped after its last output.
 */
export function transformOutcome(
  outcome: Outcome & { over: true },
  wanted: number,
  answered: number,
): Outcome & { over: true } {
  const { seconds } = outcome;
  if (answered >= wanted) return { over: true, ok: true, seconds };
  if (!outcome.ok) return outcome;
  const message = `${wanted - answered} of ${wanted} chunks have no output`;
  return { over: true, ok: false, seconds, error: 'ChunksMissing', message };
}

/** The outcome that the table holds already, or undefined for a job that is waited for. */
export function recordedOutcome(job: JobRecord): (Outcome & { over: true }) | undefined {
  const { state, seconds = 0, error = 'JobFailed', message = 'The job failed' } = job;
  if (state === 'WAITING') return undefined;
  return state === 'SUCCEEDED'
    ? { over: true, ok: true, seconds }
    : { over: true, ok: false, seconds, error, message };
}

function failure(reason: string): { error: ErrorName; message: string } {
  const named = parseFailure(reason);
  if (named.name !== 'JobFailed') return { error: named.name, message: named.message };
  if (KILLED.test(reason)) {
    const message = `The container was killed, as happens when its memory is not enough: ${reason}. What to do: lower batchSize, or use a larger instanceType`;
    return { error: 'OutOfMemory', message };
  }
  const known = REASONS.find(([pattern]) => pattern.test(reason));
  return { error: known?.[1] ?? 'JobFailed', message: reason || 'SageMaker gave no reason' };
}

/** Billed seconds, begun ones in full; times may be missing when a job failed early. */
function secondsOf(job: JobDescription): number {
  const start = job.TrainingStartTime ?? job.TransformStartTime;
  const end = job.TrainingEndTime ?? job.TransformEndTime;
  const elapsed = start && end ? (end.getTime() - start.getTime()) / 1000 : 0;
  return Math.max(0, Math.ceil(job.BillableTimeInSeconds ?? elapsed));
}

/** True of a Create call refused because the name is taken: by us, as our names are functions of what they name. */
export function isTaken({ name, message }: Error): boolean {
  return name === 'ResourceInUse' || (name === 'ValidationException' && /already exist/i.test(message));
}

/** True of a call refused because the thing does not exist. */
export function isMissing({ name, message }: Error): boolean {
  return (
    name === 'ResourceNotFound' ||
    (name === 'ValidationException' && /not f(ou|i)nd|does not exist/i.test(message))
  );
}

/** True of a Stop call refused because the job is over or ending already. */
export function isOver({ name, message }: Error): boolean {
  return name === 'ValidationException' && /status|state|stop/i.test(message);
}

/** An error of the SDK; it counts its attempts in `$metadata`, even when no response came at all. */
interface CallError {
  readonly name: string;
  readonly message: string;
  readonly $fault?: 'client' | 'server';
  readonly $metadata?: object;
}

/** Tells a quota that other jobs use up, which is worth waiting for, from one that this job alone exceeds. */
function quotaRefusal(message: string): Refusal {
  const quota = quotaIn(message);
  if (quota === undefined)
    return { error: /is 0 Instances/.test(message) ? 'QuotaTooLow' : 'QuotaBusy', message };
  if (!neverSuffices(quota)) return { error: 'QuotaBusy', message, quota };
  const { name, limit, asked } = quota;
  const what = `The quota${name === undefined ? '' : ` "${name}"`} of this account is ${limit}, and the job needs ${asked}.`;
  return {
    error: 'QuotaTooLow',
    message: `${what} No waiting helps. SageMaker's words: ${message.trim()}`,
    quota,
  };
}

/** The meaning of a refused Create call. */
export interface Refusal {
  readonly error: ErrorName;
  readonly message: string;
  /** The quota that refused it. @default - another reason, or a refusal in unknown words */
  readonly quota?: QuotaRefusal;
}

/** The error that a refused Create call amounts to. */
export function refusal(error: CallError): Refusal {
  if (isErrorName(error.name)) return { error: error.name, message: error.message };
  // Comes under the same name as a quota, but no waiting helps.
  if (/not available in this region/i.test(error.message))
    return { error: 'JobRefused', message: error.message };
  if (/ResourceLimitExceeded/.test(error.name)) return quotaRefusal(error.message);
  if (/Throttl|TooManyRequests|Rate exceeded/i.test(`${error.name} ${error.message}`)) {
    return { error: 'ServiceFault', message: error.message };
  }
  // A role made seconds ago cannot be assumed yet; it can a little later.
  if (/assume(d)? (the )?role|cannot be assumed/i.test(error.message))
    return { error: 'ServiceFault', message: error.message };
  // A fault of theirs, or no answer: the job may even exist, so the attempt must stay open to reuse it.
  if (error.$fault === 'server' || (error.$metadata !== undefined && error.$fault === undefined))
    return { error: 'ServiceFault', message: `${error.name}: ${error.message}` };
  return { error: 'JobRefused', message: `${error.name}: ${error.message}` };
}
