/**
 * Starts the job of a stage and leaves the state machine's token where complete-job finds it. Safe to call again: the
 * job's name is a function of run, stage and attempt, a job that exists is adopted, and only after a failure that the
 * machine has heard comes a next attempt.
 */
import {
  CreateModelCommand,
  CreateTrainingJobCommand,
  CreateTransformJobCommand,
} from '@aws-sdk/client-sagemaker';
import { listKeys, readPlan, writeJson } from '../../lib/aws/lambda/bucket.ts';
import { sagemaker } from '../../lib/aws/lambda/clients.ts';
import { setting } from '../../lib/aws/lambda/environment.ts';
import { answeredChunks, deleteModelOf, stopJob } from '../../lib/aws/lambda/jobs.ts';
import { requirePlannedModel } from '../../lib/aws/lambda/models.ts';
import { endJob, jobsOf, rememberJob } from '../../lib/aws/lambda/table.ts';
import { retryableNames } from '../../lib/core/errors.ts';
import { jobError, jobMessage } from '../../lib/core/jobs/messages.ts';
import { isTaken, JOB_OVER, refusal } from '../../lib/core/jobs/outcome.ts';
import { isOf, type JobRecord } from '../../lib/core/jobs/records.ts';
import {
  drawingOf,
  type JobContext,
  manifest,
  modelRequest,
  spotDrawingRequest,
  trainingJobRequest,
  transformJobRequest,
} from '../../lib/core/jobs/requests.ts';
import { chunkName, keys } from '../../lib/core/keys.ts';
import { type JobIdentity, jobName } from '../../lib/core/names.ts';
import { modelsOfStage, type Plan, type StagePlan, stageOf, transformOf } from '../../lib/core/plan/plan.ts';
import { instancesFor } from '../../lib/core/plan/pricing.ts';
import { generatesImages } from '../../lib/core/plan/stage-plan.ts';
import { chunksUntil } from '../../lib/core/stages/rounds.ts';
import { JOB_KINDS, type JobStage } from '../../lib/core/words.ts';

/** Attempts at a stage that were paid for, whatever they failed of. */
const MOST_PAID_ATTEMPTS = 6;
/** Attempts at all; most of these never got an instance. */
const MOST_ATTEMPTS = 40;

export interface StartJobInput {
  readonly runId: string;
  readonly stage: JobStage;
  /** Which time the road comes by. @default - 1 */
  readonly round?: number;
  readonly taskToken: string;
}

export async function handler({
  runId,
  stage,
  round = 1,
  taskToken,
}: StartJobInput): Promise<{ jobName: string }> {
  const plan = await readPlan(runId);
  const jobs = await jobsOf(runId);
  const attempt = nextAttempt(jobs.filter((job) => isOf(job, stage, round)));
  const identity = { run: runId, stage, attempt, round };
  // What runs already is adopted, whatever became of its model since.
  if (!jobs.some((job) => job.jobName === jobName(identity)))
    await Promise.all(modelsOfStage(plan, stage).map(requirePlannedModel));
  const work = await workOf(plan, identity, jobs);
  await rememberJob(identity, record(plan, identity, taskToken, work));
  try {
    await create(plan, identity, jobs, work);
  } catch (error) {
    await refused(identity, error as Error);
  }
  await stopUnwanted(identity);
  return { jobName: jobName(identity) };
}

function nextAttempt(jobs: readonly JobRecord[]): number {
  const latest = jobs.at(-1);
  if (latest === undefined) return 1;
  if (latest.state === 'WAITING') return latest.attempt;
  // The machine has not heard of it, or goes the road again: reconcile-job tells what became of it.
  if (latest.state === 'SUCCEEDED' || !latest.told) throw jobOver(latest);
  const paid = jobs.filter((job) => (job.seconds ?? 0) > 0).length;
  if (paid < MOST_PAID_ATTEMPTS && latest.attempt < MOST_ATTEMPTS) return latest.attempt + 1;
  const message = `The stage failed ${latest.attempt} times, lastly: ${latest.message}`;
  throw jobError('JobFailed', jobMessage(latest, message));
}

/** The first round's records say nothing of rounds, as those of runs without any. */
function roundOf({ round = 1 }: JobIdentity): { round?: number } {
  return round > 1 ? { round } : {};
}

function jobOver({ jobName: name }: JobRecord): Error {
  return Object.assign(new Error(`The job ${name} is over already.`), { name: JOB_OVER });
}

/** What is left to a job that draws. */
interface Work {
  readonly chunks: readonly number[];
  readonly instances: number;
}

/** @returns undefined for a stage that does not draw */
async function workOf(
  plan: Plan,
  identity: JobIdentity,
  jobs: readonly JobRecord[],
): Promise<Work | undefined> {
  const stage = stageOf(plan, identity.stage);
  if (!generatesImages(stage)) return undefined;
  const chunks = await missingChunks(plan, identity);
  // A job that exists already is billed for those that it was created with.
  const begun = jobs.find((job) => job.jobName === jobName(identity))?.instances;
  return { chunks, instances: begun ?? instancesFor(stage, chunks.length) };
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
    jobName: jobName(identity),
    stage: identity.stage,
    kind: JOB_KINDS[stage.kind],
    attempt: identity.attempt,
    ...roundOf(identity),
    state: 'WAITING',
    token,
    told: false,
    createdAt: new Date().toISOString(),
    instanceType: stage.instanceType,
    maxRuntimeSeconds: stage.maxRuntimeSeconds,
    ...(generatesImages(stage) && work
      ? { chunks: chunksUntil(plan, stage.stage, identity.round ?? 1), instances: work.instances }
      : {}),
  };
}

async function create(
  plan: Plan,
  identity: JobIdentity,
  jobs: readonly JobRecord[],
  work: Work = { chunks: [], instances: 1 },
): Promise<void> {
  const context = { roleArn: setting('JOB_ROLE_ARN'), imageUri: setting('IMAGE_URI') };
  await CREATORS[stageOf(plan, identity.stage).kind](plan, identity, context, jobs, work);
}

type Create = (
  plan: Plan,
  identity: JobIdentity,
  context: JobContext,
  jobs: readonly JobRecord[],
  work: Work,
) => Promise<void>;

const CREATORS: Readonly<Record<StagePlan['kind'], Create>> = {
  async training(plan, identity, context) {
    const found = await filledChannels(stageOf(plan, identity.stage));
    await createTraining(trainingJobRequest(plan, identity, { ...context, found }));
  },
  async spot(plan, identity, context, jobs, { instances }) {
    const adapter = adapterJob(plan, identity.stage, jobs);
    await createTraining(spotDrawingRequest(plan, identity, { ...context, adapterJob: adapter, instances }));
  },
  async transform(plan, identity, context, jobs, { chunks, instances }) {
    const drawing = drawingOf(plan, identity);
    const named = manifest(plan.bucket, drawing.chunks, chunks.map(chunkName));
    await writeJson(keys.manifest(plan.runId, drawing.name), named);
    const artifactUri = `s3://${plan.bucket}/${keys.artifact(plan.runId, adapterJob(plan, identity.stage, jobs))}`;
    const model = modelRequest(plan, drawing, { ...context, artifactUri });
    await adopting(sagemaker().send(new CreateModelCommand(model)));
    const transform = transformJobRequest(plan, drawing, instances);
    await adopting(sagemaker().send(new CreateTransformJobCommand(transform)));
  },
};

async function createTraining(request: object): Promise<void> {
  await adopting(sagemaker().send(new CreateTrainingJobCommand(request as never)));
}

/** SageMaker refuses a channel that nothing lies in: of the optional ones those that have something. */
async function filledChannels(stage: StagePlan): Promise<string[]> {
  const optional = stage.kind === 'training' ? (stage.optionalChannels ?? {}) : {};
  const found: string[] = [];
  for (const [name, prefix] of Object.entries(optional)) {
    if ((await listKeys(prefix, 1)).length > 0) found.push(name);
  }
  return found;
}

/** A later attempt draws only what no earlier one has drawn: each picture depends on its seed alone. */
async function missingChunks(plan: Plan, { stage: of, round = 1 }: JobIdentity): Promise<number[]> {
  const { stage } = transformOf(plan, of);
  const all = Array.from({ length: chunksUntil(plan, stage, round) }, (_, chunk) => chunk);
  const answered = await answeredChunks(plan.runId, stage);
  const missing = all.filter((chunk) => !answered.has(chunk));
  // SageMaker takes no empty manifest. Nothing is missing when a run was stopped after a stage's last output and then
  // resumed; a chunk that is drawn again gives the same pictures.
  return missing.length > 0 ? missing : all.slice(-1);
}

/** The job whose adapter draws the pictures of a stage. */
function adapterJob(plan: Plan, stage: JobStage, jobs: readonly JobRecord[]): string {
  const from = transformOf(plan, stage).adapterOf;
  const job = jobs.find((entry) => entry.stage === from && entry.state === 'SUCCEEDED');
  if (job === undefined) throw new Error(`stage ${stage} was started before ${from} had succeeded`);
  return job.jobName;
}

/** The run may have been stopped while its job was being created, when end-run could not yet stop it. */
async function stopUnwanted(identity: JobIdentity): Promise<void> {
  const job = (await jobsOf(identity.run)).find((entry) => entry.jobName === jobName(identity));
  if (job?.state !== 'FAILED') return;
  await stopJob(job);
  await deleteModelOf(job);
}

/** A thing that exists under our deterministic name is ours from an earlier call. */
async function adopting(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!isTaken(error as Error)) throw error;
  }
}

async function refused(identity: JobIdentity, cause: Error): Promise<never> {
  const { error, message } = refusal(cause);
  const remedy = REMEDIES[error] ?? REMEDIES.JobRefused;
  const text = message.includes('What to do:') ? message : `${message} What to do: ${remedy}`;
  // What waiting helps against leaves the attempt open: no job came of it, and the next call creates it.
  if (!retryableNames().includes(error))
    await endJob(identity, { state: 'FAILED', told: true, error, message: text });
  throw jobError(error, text);
}

const REMEDIES: Record<string, string> = {
  QuotaZero:
    'ask for a higher quota for this instance type in the Service Quotas console, or set this stage’s instanceType in `advanced` of subject.json.',
  QuotaBusy: 'wait for other jobs on this instance type to end; the run tries again by itself.',
  ServiceFault: 'nothing; the run tries again by itself.',
  JobRefused: 'check the stack and the request, then upload subject.json again.',
};
