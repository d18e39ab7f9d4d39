/** Status changes of a training job's record. */
import type { JobStatus, SecondaryStatus, TrainingRecord } from '../state/records.ts';
import type { JobContext } from './context.ts';

const MESSAGES: Readonly<Record<SecondaryStatus, string>> = {
  Starting: 'Preparing the instances for training',
  Downloading: 'Downloading input data',
  Training: 'Training image download completed. Training in progress.',
  Interrupted: 'The managed spot instance was taken back; waiting for capacity',
  Restarting: 'Restarting the training job',
  Uploading: 'Uploading generated training model',
  Stopping: 'Stopping the training job',
  Stopped: 'Training job stopped',
  MaxRuntimeExceeded: 'Resources are released due to MaxRuntimeExceeded',
  MaxWaitTimeExceeded: 'Resources are released due to MaxWaitTimeExceeded',
  Completed: 'Training job completed',
  Failed: 'Training job failed',
};

const TERMINAL: Partial<Record<SecondaryStatus, JobStatus>> = {
  Completed: 'Completed',
  Failed: 'Failed',
  Stopped: 'Stopped',
  // Reaching a limit ends a job as Stopped, not Failed.
  MaxRuntimeExceeded: 'Stopped',
  MaxWaitTimeExceeded: 'Stopped',
};

/** Sets a job's status, stores the record and sends an event. Stopping stays the primary status until the end. */
export function setTrainingStatus(
  context: Pick<JobContext, 'state' | 'events'>,
  job: TrainingRecord,
  secondary: SecondaryStatus,
  message: string = MESSAGES[secondary],
): void {
  const now = Date.now();
  const last = job.transitions.at(-1);
  if (last && last.end === undefined) last.end = now;
  const terminal = TERMINAL[secondary];
  job.transitions.push({ status: secondary, start: now, ...(terminal && { end: now }), message });
  job.secondary = secondary;
  job.status =
    terminal ?? (secondary === 'Stopping' || job.status === 'Stopping' ? 'Stopping' : 'InProgress');
  job.modified = now;
  if (secondary === 'Downloading') job.started ??= now;
  if (terminal) job.ended = now;
  context.state.trainingJobs.put(job);
  context.events.training(job);
}
