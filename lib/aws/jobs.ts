/** SageMaker's jobs of both kinds behind one interface: create, describe, list, wait for, stop, clean up. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateModelCommand,
  type CreateModelCommandInput,
  CreateTrainingJobCommand,
  type CreateTrainingJobCommandInput,
  CreateTransformJobCommand,
  type CreateTransformJobCommandInput,
  DeleteModelCommand,
  DescribeModelCommand,
  DescribeTrainingJobCommand,
  DescribeTransformJobCommand,
  paginateListTrainingJobs,
  paginateListTransformJobs,
  type SageMakerClient,
  StopTrainingJobCommand,
  StopTransformJobCommand,
} from '@aws-sdk/client-sagemaker';
import type { ErrorName } from '../core/errors.ts';
import { jobError } from '../core/jobs/messages.ts';
import {
  isMissing,
  isOver,
  isTaken,
  type JobDescription,
  type Outcome,
  outcomeOf,
  refusal,
} from '../core/jobs/outcome.ts';
import { quotaRemedy } from '../core/jobs/quota.ts';
import type { JobKind } from '../core/words.ts';

export interface JobsContext {
  readonly sagemaker: SageMakerClient;
}

export interface Job {
  readonly kind: JobKind;
  readonly jobName: string;
}

/** Creates a training job. One that exists under its name, a function of its contents, is reused. */
export async function createTrainingJob({ sagemaker }: JobsContext, request: object): Promise<void> {
  const command = new CreateTrainingJobCommand(request as CreateTrainingJobCommandInput);
  await orReuse(sagemaker.send(command));
}

/**
 * Creates a transform and the model that it serves, or reuses them if they exist.
 *
 * @param again - the transform was refused before, so its model may exist. It is looked up first, because only the text
 * of a refusal distinguishes a name that is taken from other faults. @default - false
 */
export async function createTransformJob(
  { sagemaker }: JobsContext,
  model: { readonly ModelName: string },
  transform: object,
  { again = false }: { readonly again?: boolean } = {},
): Promise<void> {
  if (!again || !(await modelExists({ sagemaker }, model.ModelName)))
    await orReuse(sagemaker.send(new CreateModelCommand(model as CreateModelCommandInput)));
  await orReuse(sagemaker.send(new CreateTransformJobCommand(transform as CreateTransformJobCommandInput)));
}

async function modelExists({ sagemaker }: JobsContext, ModelName: string): Promise<boolean> {
  try {
    await sagemaker.send(new DescribeModelCommand({ ModelName }));
    return true;
  } catch (error) {
    if (isMissing(error as Error)) return false;
    throw error;
  }
}

async function orReuse(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!isTaken(error as Error)) throw error;
  }
}

/** Who asked for a refused job: a run's state machine retries by itself, a command is called by a person. */
export type Caller = 'run' | 'command' | 'import';

const REMEDIES: Readonly<Record<Caller, Partial<Record<ErrorName, string>> & { JobRefused: string }>> = {
  run: {
    QuotaBusy: 'wait for other jobs on this instance type to end; the run retries by itself.',
    ServiceFault: 'nothing; the run retries by itself.',
    JobRefused: 'check the stack and the request, then upload subject.json again.',
  },
  command: {
    QuotaBusy: 'wait for other jobs on this instance type to end, then retry.',
    ServiceFault: 'retry in a few minutes.',
    JobRefused: 'check that the stack is fully deployed and that you may create models and transform jobs.',
  },
  import: {
    JobRefused:
      'check that the stack is fully deployed, and that you may create training jobs and pass its import role; or import a folder with --from.',
  },
};

/** Endings of the remedy for a quota that is too low. */
const ALTERNATIVES: Readonly<Record<Caller, string>> = {
  run: ', or set fewer instances or another instanceType for this stage in `advanced` of subject.json; then upload it again.',
  command: ', then retry.',
  import: ', or import a folder with --from.',
};

/** The error that a refused creation amounts to, under its own name and with a remedy. */
export function refusedJob(cause: Error, caller: Caller): Error & { readonly name: string } {
  const { error, message, quota } = refusal(cause);
  if (message.includes('What to do:')) return jobError(error, message);
  const remedy =
    error === 'QuotaTooLow'
      ? `${quotaRemedy(quota)}${ALTERNATIVES[caller]}`
      : (REMEDIES[caller][error] ?? REMEDIES[caller].JobRefused);
  return jobError(error, `${message} What to do: ${remedy}`);
}

/** SageMaker's description of a job, or undefined when there is no such job. */
export async function describeJob({ sagemaker }: JobsContext, job: Job): Promise<JobDescription | undefined> {
  try {
    return job.kind === 'training'
      ? await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: job.jobName }))
      : await sagemaker.send(new DescribeTransformJobCommand({ TransformJobName: job.jobName }));
  } catch (error) {
    if (isMissing(error as Error)) return undefined;
    throw error;
  }
}

export interface JobSummary {
  readonly jobName: string;
  readonly running: boolean;
}

/** Jobs of a kind whose names begin so. */
export async function listJobsNamed(
  { sagemaker: client }: JobsContext,
  kind: JobKind,
  stem: string,
): Promise<JobSummary[]> {
  const request = { NameContains: stem, MaxResults: 100 };
  const found: JobSummary[] = [];
  const add = (jobName = '', status: string | undefined = '') => {
    if (jobName.startsWith(stem)) found.push({ jobName, running: status === 'InProgress' });
  };
  if (kind === 'training') {
    for await (const { TrainingJobSummaries = [] } of paginateListTrainingJobs({ client }, request))
      for (const job of TrainingJobSummaries) add(job.TrainingJobName, job.TrainingJobStatus);
  } else {
    for await (const { TransformJobSummaries = [] } of paginateListTransformJobs({ client }, request))
      for (const job of TransformJobSummaries) add(job.TransformJobName, job.TransformJobStatus);
  }
  return found;
}

/** A job that has not ended. */
export interface UnfinishedJob extends Job {
  /** True once it was asked to stop: it saves what it has, for a few minutes at most. */
  readonly stopping: boolean;
}

/** Jobs of both kinds whose names begin so and that have not ended. */
export async function listUnfinishedJobs(
  { sagemaker: client }: JobsContext,
  stem: string,
): Promise<UnfinishedJob[]> {
  const found: UnfinishedJob[] = [];
  for (const StatusEquals of ['InProgress', 'Stopping'] as const) {
    const request = { NameContains: stem, MaxResults: 100, StatusEquals };
    const add = (kind: JobKind, jobName = '') => {
      if (jobName.startsWith(stem)) found.push({ kind, jobName, stopping: StatusEquals === 'Stopping' });
    };
    for await (const { TrainingJobSummaries = [] } of paginateListTrainingJobs({ client }, request))
      for (const job of TrainingJobSummaries) add('training', job.TrainingJobName);
    for await (const { TransformJobSummaries = [] } of paginateListTransformJobs({ client }, request))
      for (const job of TransformJobSummaries) add('transform', job.TransformJobName);
  }
  return found;
}

/** The first check comes soon, as on one machine a job takes seconds; SageMaker must not be asked often. */
const FIRST_CHECK_MS = 300;
const SLOWDOWN = 1.3;

export interface WaitOptions {
  readonly signal: AbortSignal;
  /** Longest time between two checks, in milliseconds. */
  readonly slowest: number;
  /** Called with the state of a job that is not over yet; what it throws ends the waiting. */
  readonly unfinished: (outcome: Outcome & { over: false }, job: JobDescription) => void | Promise<void>;
}

/**
 * Waits until a job is over.
 * @throws the signal's reason once it is aborted
 */
export async function waitForJob(
  context: JobsContext,
  job: Job,
  { signal, slowest, unfinished }: WaitOptions,
): Promise<Outcome & { over: true }> {
  for (let wait = FIRST_CHECK_MS; ; wait = Math.min(slowest, wait * SLOWDOWN)) {
    signal.throwIfAborted();
    const description = await describeJob(context, job);
    if (description === undefined) throw new Error(`SageMaker has no job ${job.jobName}`);
    const outcome = outcomeOf(description);
    if (outcome.over) return outcome;
    await unfinished(outcome, description);
    await sleep(wait, undefined, { signal }).catch(() => {});
  }
}

/** The answer to a request to stop a job, which need not be stopped if it is over or does not exist. */
export type Stopped = 'stopping' | 'over' | 'missing';

/** Asks SageMaker to stop a job. */
export async function stopJob(context: JobsContext, job: Job): Promise<Stopped> {
  if (job.kind === 'transform') return stopTransform(context, job);
  return stopping(context.sagemaker.send(new StopTrainingJobCommand({ TrainingJobName: job.jobName })));
}

/** Stops a transform. A function of its own, so that a lambda that stops no trainings needs no permission for them. */
export async function stopTransform(
  { sagemaker }: JobsContext,
  { jobName }: Pick<Job, 'jobName'>,
): Promise<Stopped> {
  return stopping(sagemaker.send(new StopTransformJobCommand({ TransformJobName: jobName })));
}

async function stopping(request: Promise<unknown>): Promise<Stopped> {
  try {
    await request;
    return 'stopping';
  } catch (error) {
    if (isMissing(error as Error)) return 'missing';
    if (isOver(error as Error)) return 'over';
    throw error;
  }
}

/** Stops a job and waits for its end, for at most so many milliseconds. */
export async function stopAndWait(context: JobsContext, job: Job, patience: number): Promise<void> {
  if ((await stopJob(context, job)) !== 'stopping') return;
  for (const deadline = Date.now() + patience; Date.now() < deadline; await sleep(FIRST_CHECK_MS)) {
    const description = await describeJob(context, job);
    if (description === undefined || outcomeOf(description).over) return;
  }
}

/** Deletes the model of a transform, which needs it only while it runs. */
export async function deleteModelOf({ sagemaker }: JobsContext, { kind, jobName }: Job): Promise<void> {
  if (kind !== 'transform') return;
  try {
    await sagemaker.send(new DeleteModelCommand({ ModelName: jobName }));
  } catch (error) {
    if (!isMissing(error as Error)) throw error;
  }
}
