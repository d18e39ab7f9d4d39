/** Stored records of models and jobs. Times are epoch milliseconds. */
import type { ModelRequest, Tag, TrainingRequest, TransformRequest } from './requests.ts';

export type JobStatus = 'InProgress' | 'Completed' | 'Failed' | 'Stopping' | 'Stopped';

export type SecondaryStatus =
  | 'Starting'
  | 'Downloading'
  | 'Training'
  | 'Interrupted'
  | 'Restarting'
  | 'Uploading'
  | 'Stopping'
  | 'Stopped'
  | 'MaxRuntimeExceeded'
  | 'MaxWaitTimeExceeded'
  | 'Completed'
  | 'Failed';

export interface Transition {
  readonly status: SecondaryStatus;
  readonly start: number;
  end?: number;
  readonly message: string;
}

export interface JobRecord {
  readonly name: string;
  readonly arn: string;
  status: JobStatus;
  failureReason?: string;
  readonly created: number;
  started?: number;
  ended?: number;
  modified: number;
  tags: Tag[];
}

export interface TrainingRecord extends JobRecord {
  readonly request: TrainingRequest;
  secondary: SecondaryStatus;
  readonly transitions: Transition[];
  /** Seconds of all attempts, without interruptions. */
  trainingSeconds?: number;
  /** Billed seconds: fewer on spot. */
  billableSeconds?: number;
  artifacts?: string;
}

export interface TransformRecord extends JobRecord {
  readonly request: TransformRequest;
}

export interface ModelRecord {
  readonly name: string;
  readonly arn: string;
  readonly request: ModelRequest;
  readonly created: number;
  tags: Tag[];
}

/** Returns true if a status is final. */
export function isTerminal(status: JobStatus): boolean {
  return status === 'Completed' || status === 'Failed' || status === 'Stopped';
}
