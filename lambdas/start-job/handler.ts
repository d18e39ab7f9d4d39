/**
 * Starts the job of a stage and stores the state machine's token where complete-job finds it. Safe to call again: the
 * job's name is a function of run, stage and attempt, a job that exists is reused, and a next attempt comes only after a
 * failure that was reported to the machine.
 */
import { completeBills } from '../../lib/aws/job-endings.ts';
import { deleteModelOf, describeJob, type JobsContext, refusedJob, stopJob } from '../../lib/aws/jobs.ts';
import { requirePlannedModel } from '../../lib/aws/models.ts';
import { joinRun } from '../../lib/aws/run-executions.ts';
import { readPlan } from '../../lib/aws/runs.ts';
import type { BucketContext } from '../../lib/aws/s3.ts';
import {
  finishJob,
  listJobs,
  putJob,
  readRecords,
  type TableContext,
  updateJob,
} from '../../lib/aws/table.ts';
import { type ErrorName, retryableNames } from '../../lib/core/errors.ts';
import type { ExecutionIdentity } from '../../lib/core/jobs/executions.ts';
import { jobError, jobMessage } from '../../lib/core/jobs/messages.ts';
import { JOB_OVER, outcomeOf } from '../../lib/core/jobs/outcome.ts';
import {
  identityOf,
  isBillOpen,
  isOf,
  type JobRecord,
  NO_BILL,
  STOPPED_WITH_RUN,
} from '../../lib/core/jobs/records.ts';
import { type JobIdentity, jobName } from '../../lib/core/names.ts';
import { modelsOfStage, type Plan, stageOf } from '../../lib/core/plan/plan.ts';
import { generatesImages } from '../../lib/core/plan/stage-plan.ts';
import { chunksUntil } from '../../lib/core/stages/rounds.ts';
import { JOB_KINDS, type JobStage } from '../../lib/core/words.ts';
import { bucketContext, jobsContext } from '../shared/context.ts';
import { setting } from '../shared/settings.ts';
import { tableContext } from '../shared/table.ts';
import { claimRequest } from './claim.ts';
import { createJob, type Work, workOf } from './create.ts';
import { requireInputs } from './inputs.ts';

type Context = BucketContext & TableContext & JobsContext;

/** Attempts at a stage that were paid for, whatever the failure. */
const MOST_PAID_ATTEMPTS = 6;
/** Attempts at all; most of these never got an instance. */
const MOST_ATTEMPTS = 40;

export interface StartJobInput {
  readonly runId: string;
  readonly stage: JobStage;
  /** Round of proxies. @default - 1 */
  readonly round?: number;
  readonly taskToken: string;
  /** The execution that waits for the job. @default - unknown, and assumed to be the run's own */
  readonly execution?: ExecutionIdentity;
}

export async function handler({
  runId,
  stage,
  round = 1,
  taskToken,
  execution,
}: StartJobInput): Promise<{ jobName: string }> {
  const context = { ...bucketContext(), ...tableContext(), ...jobsContext() };
  await joinRun(context, runId, execution);
  const plan = await readPlan(context, runId);
  const jobs = await listJobs(context, runId);
  const attempt = nextAttempt(
    await completeBills(
      context,
      jobs.filter((job) => isOf(job, stage, round)),
    ),
  );
  const identity = { run: runId, stage, attempt, round };
  const recorded = jobs.find((job) => job.jobName === nameOf(identity));
  const reused = recorded !== undefined && (await reuse(context, recorded, taskToken));
  if (!reused) await start(context, plan, identity, jobs, taskToken);
  await stopUnwanted(context, identity);
  return { jobName: nameOf(identity) };
}

function nameOf(identity: JobIdentity): string {
  return jobName(identity, setting('JOB_PREFIX'));
}

function nextAttempt(jobs: readonly JobRecord[]): number {
  const latest = jobs.at(-1);
  if (latest === undefined) return 1;
  if (latest.state === 'WAITING') return latest.attempt;
  // The machine does not know its outcome, or the run was resumed: reconcile-job reports it.
  if (latest.state === 'SUCCEEDED' || !latest.reported) throw jobOver(latest);
  // One that SageMaker is still stopping is going to be billed.
  const paid = jobs.filter((job) => (job.seconds ?? 0) > 0 || isBillOpen(job)).length;
  if (paid < MOST_PAID_ATTEMPTS && latest.attempt < MOST_ATTEMPTS) return latest.attempt + 1;
  const message = `The stage failed ${latest.attempt} times. Last failure: ${latest.message}`;
  throw jobError('JobFailed', jobMessage(latest, message));
}

function jobOver({ jobName: name }: JobRecord): Error {
  return Object.assign(new Error(`The job ${name} is over already.`), { name: JOB_OVER });
}

/**
 * Waits under the new token for the job of an attempt that was recorded earlier. It describes the job instead of
 * creating it again, because in an account without a free instance that may fail for the quota instead of the name.
 *
 * @returns false when SageMaker has no such job: its creation was refused, or the request never arrived
 * @throws JobOver when the job is over, because the event of its end may never come
 */
async function reuse(
  context: TableContext & JobsContext,
  recorded: JobRecord,
  token: string,
): Promise<boolean> {
  await updateJob(context, identityOf(recorded), { token });
  const description = await describeJob(context, recorded);
  if (description !== undefined && outcomeOf(description).over) throw jobOver(recorded);
  return description !== undefined;
}

async function start(
  context: Context,
  plan: Plan,
  identity: JobIdentity,
  jobs: readonly JobRecord[],
  token: string,
): Promise<void> {
  await claimRequest(context, plan, jobs);
  const models = modelsOfStage(plan, identity.stage);
  await Promise.all(models.map((model) => requirePlannedModel(context, model)));
  await requireInputs(context, plan, identity.stage);
  const work = await workOf(context, plan, identity, jobs);
  await putJob(context, identity, record(plan, identity, token, work));
  const again = jobs.some((job) => job.jobName === nameOf(identity));
  try {
    await createJob(context, { plan, identity, jobs, work, again });
  } catch (error) {
    await refuse(context, identity, error as Error);
  }
}

/** The round for a record: left out in the first round, as in runs without rounds. */
function roundOf({ round = 1 }: JobIdentity): { round?: number } {
  return round > 1 ? { round } : {};
}

function record(
  plan: Plan,
  identity: JobIdentity,
  token: string,
  work: Work | undefined,
): Omit<JobRecord, 'pk' | 'sk'> {
  const stage = stageOf(plan, identity.stage);
  return {
    runId: identity.run,
    jobName: nameOf(identity),
    stage: identity.stage,
    kind: JOB_KINDS[stage.kind],
    attempt: identity.attempt,
    ...roundOf(identity),
    state: 'WAITING',
    token,
    reported: false,
    createdAt: new Date().toISOString(),
    instanceType: stage.instanceType,
    maxRuntimeSeconds: stage.maxRuntimeSeconds,
    ...(generatesImages(stage) && work
      ? { chunks: chunksUntil(plan, stage.stage, identity.round ?? 1), instances: work.instances }
      : {}),
  };
}

/** Stops a job whose run was stopped while it was being created, when end-run could not stop it yet. */
async function stopUnwanted(context: Context, identity: JobIdentity): Promise<void> {
  const { run, jobs } = (await readRecords(context, identity.run)) ?? {};
  const job = jobs?.find((entry) => entry.jobName === nameOf(identity));
  const over = run !== undefined && run.status !== 'RUNNING';
  if (job === undefined || (job.state !== 'FAILED' && !over)) return;
  await stopJob(context, job);
  // Whatever the record says: end-run may have recorded the deletion of this model before the model existed.
  await deleteModelOf(context, job);
  await finishJob(context, identity, STOPPED_WITH_RUN);
}

/** @throws the refusal under its own name */
async function refuse(context: TableContext, identity: JobIdentity, cause: Error): Promise<never> {
  const refusal = refusedJob(cause, 'run');
  const error = refusal.name as ErrorName;
  // An error that waiting helps against leaves the attempt open: no job came of it, and the next call creates it.
  if (!retryableNames().includes(error)) {
    const end = { state: 'FAILED', reported: true, error, message: refusal.message } as const;
    await finishJob(context, identity, { ...end, ...NO_BILL });
  }
  throw refusal;
}
