/** What became of a job, read from SageMaker's own description of it (never from an event, which is a hint). */
import { type ErrorName, isErrorName, parseFailure } from './errors.ts';

export type Outcome =
  | { readonly over: false; readonly status: string }
  | { readonly over: true; readonly ok: true; readonly seconds: number }
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

export function outcomeOf(job: JobDescription): Outcome {
  const status = job.TrainingJobStatus ?? job.TransformJobStatus ?? 'Unknown';
  const seconds = secondsOf(job);
  if (status === 'Completed') return { over: true, ok: true, seconds };
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
  return { over: false, status };
}

function failure(reason: string): { error: ErrorName; message: string } {
  const named = parseFailure(reason);
  if (named.name !== 'JobFailed') return { error: named.name, message: named.message };
  const known = REASONS.find(([pattern]) => pattern.test(reason));
  return { error: known?.[1] ?? 'JobFailed', message: reason || 'SageMaker gave no reason' };
}

/** Billed seconds; times may be missing when a job failed early. */
function secondsOf(job: JobDescription): number {
  const start = job.TrainingStartTime ?? job.TransformStartTime;
  const end = job.TrainingEndTime ?? job.TransformEndTime;
  const elapsed = start && end ? (end.getTime() - start.getTime()) / 1000 : 0;
  return Math.max(0, Math.round(job.BillableTimeInSeconds ?? elapsed));
}

/** The error that a refused Create call amounts to. */
export function refusal(error: { name: string; message: string }): { error: ErrorName; message: string } {
  if (isErrorName(error.name)) return { error: error.name, message: error.message };
  // Comes under the same name as a quota, but no waiting helps.
  if (/not available in this region/i.test(error.message))
    return { error: 'JobRefused', message: error.message };
  if (/ResourceLimitExceeded/.test(error.name)) {
    const limit = /is (\d+) Instances/.exec(error.message)?.[1];
    return { error: limit === '0' ? 'QuotaZero' : 'QuotaBusy', message: error.message };
  }
  if (/Throttl|TooManyRequests|Rate exceeded/i.test(`${error.name} ${error.message}`)) {
    return { error: 'ServiceFault', message: error.message };
  }
  // A role made seconds ago cannot be assumed yet; it can a little later.
  if (/assume(d)? (the )?role|cannot be assumed/i.test(error.message))
    return { error: 'ServiceFault', message: error.message };
  return { error: 'JobRefused', message: `${error.name}: ${error.message}` };
}
