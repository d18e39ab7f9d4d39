/** The records of the table: an item for each run, and one for each job of it. */
import type { ErrorName } from '../errors.ts';
import type { JobIdentity } from '../names.ts';
import { attemptName } from '../names.ts';
import type { JobKind, JobStage } from '../words.ts';

export type RunStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'STOPPED';

export interface RunRecord {
  readonly pk: string;
  readonly sk: 'run';
  readonly runId: string;
  readonly subject: string;
  readonly bucket: string;
  readonly status: RunStatus;
  readonly startedAt: string;
  /** When it last began: later than `startedAt` if it was resumed or redriven. */
  readonly begunAt: string;
  /** Name of the execution that works on it, or did so last. @default - no execution began it */
  readonly execution?: string;
  /** How often this execution had been redriven when it last began. @default - 0 */
  readonly redrives?: number;
  readonly endedAt?: string;
  readonly error?: string;
  readonly message?: string;
  readonly report?: string;
  readonly notify?: string;
  readonly usd?: number;
  /** The job stages of its plan. @default - it is not planned yet */
  readonly stages?: readonly JobStage[];
  /** A fault that did not affect the run, such as one of its mail. @default - none */
  readonly warning?: string;
  /** True once the user was notified of its end; a crash between ending and notifying is then repaired. */
  readonly reported?: boolean;
}

/**
 * `WAITING`: created or about to be; the state machine waits for its token.
 * `SUCCEEDED`, `FAILED`: over; `reported` says whether the state machine knows.
 */
export type JobState = 'WAITING' | 'SUCCEEDED' | 'FAILED';

export interface JobRecord {
  readonly pk: string;
  readonly sk: string;
  readonly runId: string;
  readonly jobName: string;
  readonly stage: JobStage;
  readonly kind: JobKind;
  readonly attempt: number;
  /** @default - 1 */
  readonly round?: number;
  readonly state: JobState;
  readonly token: string;
  readonly createdAt: string;
  readonly instanceType: string;
  /** How many of them; each is billed for the job's seconds. @default - 1 */
  readonly instances?: number;
  /** Chunks of the stage up to this round, for a job that draws: it has only succeeded when each has its output. */
  readonly chunks?: number;
  /** Longest the job may take; a transform has no limit of its own, so ours is kept here. */
  readonly maxRuntimeSeconds: number;
  /** True once the state machine has the outcome. Only after a failure that it knows comes a next attempt. */
  readonly reported: boolean;
  /** Billed seconds. @default - not known yet, because the job runs or SageMaker is still stopping it */
  readonly seconds?: number;
  readonly usd?: number;
  /** The artifact of a training, an archive or a folder, at the address that SageMaker reported. */
  readonly artifact?: string;
  /** True once the model of a transform is deleted. */
  readonly modelDeleted?: boolean;
  readonly error?: ErrorName;
  readonly message?: string;
}

/** Returns true for a job whose end was recorded before SageMaker billed it: a stop takes up to two minutes. */
export const isBillOpen = ({ state, seconds }: JobRecord): boolean =>
  state === 'FAILED' && seconds === undefined;

/** The bill of a job that never got an instance. */
export const NO_BILL = { seconds: 0, usd: 0 } as const;

/** The end of a job that was stopped because its run had ended. Nothing waits for its outcome. */
export const STOPPED_WITH_RUN = {
  state: 'FAILED',
  reported: true,
  error: 'JobStopped',
  message: 'Stopped because its run had ended.',
} as const;

export const runKey = (runId: string) => ({ pk: `run#${runId}`, sk: 'run' as const });

/** The item that names the run of a request, by the digest of what it asks for. */
export const claimKey = (digest: string) => ({ pk: `request#${digest}`, sk: 'claim' as const });

export const jobKey = (identity: JobIdentity) => ({
  pk: `run#${identity.run}`,
  sk: `job#${attemptName(identity)}`,
});

/** Checks that a job is of a stage, and of a round of it. */
export const isOf = (job: JobRecord, stage: JobStage, round: number): boolean =>
  job.stage === stage && (job.round ?? 1) === round;

/** The fields that identify a job's record. */
export const identityOf = ({ runId, stage, attempt, round }: JobRecord): JobIdentity => ({
  run: runId,
  stage,
  attempt,
  round,
});

/** Prefix of the sort keys of a run's jobs. */
export const JOB_SORT_PREFIX = 'job#';
