/**
 * Starts the job of a stage and stores the state machine's token where complete-job finds it. Safe to call again: the
 * job's name is a function of run, stage and attempt, a job that exists is reused, and a next attempt comes only after a
 * failure that was reported to the machine.
 */
import {
  createTrainingJob,
  createTransformJob,
  deleteModelOf,
  type JobsContext,
  refusedJob,
  stopJob,
} from '../../lib/aws/jobs.ts';
import { requirePlannedModel } from '../../lib/aws/models.ts';
import { outputsBelow } from '../../lib/aws/outcomes.ts';
import { readPlan } from '../../lib/aws/runs.ts';
import { type BucketContext, listKeys, writeJson } from '../../lib/aws/s3.ts';
import { finishJob, listJobs, putJob, type TableContext } from '../../lib/aws/table.ts';
import { type ErrorName, retryableNames } from '../../lib/core/errors.ts';
import { jobError, jobMessage } from '../../lib/core/jobs/messages.ts';
import { JOB_OVER } from '../../lib/core/jobs/outcome.ts';
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
import { bucketContext, jobsContext } from '../shared/context.ts';
import { setting } from '../shared/settings.ts';
import { tableContext } from '../shared/table.ts';

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
}

export async function handler({
  runId,
  stage,
  round = 1,
  taskToken,
}: StartJobInput): Promise<{ jobName: string }> {
  const context = { ...bucketContext(), ...tableContext(), ...jobsContext() };
  const plan = await readPlan(context, runId);
  const jobs = await listJobs(context, runId);
  const attempt = nextAttempt(jobs.filter((job) => isOf(job, stage, round)));
  const identity = { run: runId, stage, attempt, round };
  // A job that runs already is reused, whatever happened to its model since.
  if (!jobs.some((job) => job.jobName === nameOf(identity))) {
    const models = modelsOfStage(plan, stage);
    await Promise.all(models.map((model) => requirePlannedModel(context, model)));
  }
  const work = await workOf(context, plan, identity, jobs);
  await putJob(context, identity, record(plan, identity, taskToken, work));
  try {
    await create(context, plan, identity, jobs, work);
  } catch (error) {
    await refuse(context, identity, error as Error);
  }
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
  const paid = jobs.filter((job) => (job.seconds ?? 0) > 0).length;
  if (paid < MOST_PAID_ATTEMPTS && latest.attempt < MOST_ATTEMPTS) return latest.attempt + 1;
  const message = `The stage failed ${latest.attempt} times. Last failure: ${latest.message}`;
  throw jobError('JobFailed', jobMessage(latest, message));
}

/** The round for a record: left out in the first round, as in runs without rounds. */
function roundOf({ round = 1 }: JobIdentity): { round?: number } {
  return round > 1 ? { round } : {};
}

function jobOver({ jobName: name }: JobRecord): Error {
  return Object.assign(new Error(`The job ${name} is over already.`), { name: JOB_OVER });
}

/** The remaining work of a job that generates images. */
interface Work {
  readonly chunks: readonly number[];
  readonly instances: number;
}

/** @returns undefined for a stage that does not generate images */
async function workOf(
  context: BucketContext,
  plan: Plan,
  identity: JobIdentity,
  jobs: readonly JobRecord[],
): Promise<Work | undefined> {
  const stage = stageOf(plan, identity.stage);
  if (!generatesImages(stage)) return undefined;
  const chunks = await missingChunks(context, plan, identity);
  // A job that exists already is billed for the instances that it was created with.
  const begun = jobs.find((job) => job.jobName === nameOf(identity))?.instances;
  const most = stage.kind === 'spot' && lostChunks(jobs, identity) ? 1 : instancesFor(stage, chunks.length);
  return { chunks, instances: begun ?? most };
}

/**
 * Checks whether the attempt before ended without all its chunks. On spot, several hosts mirror their checkpoint folders
 * to one prefix, and no document says that a host never removes what another one wrote: one host alone loses nothing.
 */
function lostChunks(jobs: readonly JobRecord[], { stage, round = 1 }: JobIdentity): boolean {
  return jobs.filter((job) => isOf(job, stage, round)).some(({ error }) => error === 'ChunksMissing');
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

async function create(
  aws: Context,
  plan: Plan,
  identity: JobIdentity,
  jobs: readonly JobRecord[],
  work: Work = { chunks: [], instances: 1 },
): Promise<void> {
  const context = {
    roleArn: setting('JOB_ROLE_ARN'),
    imageUri: imageOf(plan),
    jobPrefix: setting('JOB_PREFIX'),
  };
  await CREATORS[stageOf(plan, identity.stage).kind](aws, plan, identity, context, jobs, work);
}

/** The image that plan-run has checked: one that was deployed since may not fit the run's earlier jobs. */
function imageOf({ runId, image }: Plan): string {
  if (image === null) throw new Error(`the plan of ${runId} names no container image`);
  return image.uri;
}

type Create = (
  aws: Context,
  plan: Plan,
  identity: JobIdentity,
  context: JobContext,
  jobs: readonly JobRecord[],
  work: Work,
) => Promise<void>;

const CREATORS: Readonly<Record<StagePlan['kind'], Create>> = {
  async training(aws, plan, identity, context) {
    const found = await filledChannels(aws, stageOf(plan, identity.stage));
    await createTrainingJob(aws, trainingJobRequest(plan, identity, { ...context, found }));
  },
  async spot(aws, plan, identity, context, jobs, { instances }) {
    const adapter = adapterJob(plan, identity.stage, jobs);
    const request = spotDrawingRequest(plan, identity, { ...context, adapterJob: adapter, instances });
    await createTrainingJob(aws, request);
  },
  async transform(aws, plan, identity, context, jobs, { chunks, instances }) {
    const drawing = drawingOf(plan, identity, context.jobPrefix);
    const named = manifest(plan.bucket, drawing.chunks, chunks.map(chunkName));
    await writeJson(aws, keys.manifest(plan.runId, drawing.name), named);
    const artifactUri = `s3://${plan.bucket}/${keys.artifact(plan.runId, adapterJob(plan, identity.stage, jobs))}`;
    const model = modelRequest(plan, drawing, { ...context, artifactUri, region: setting('AWS_REGION') });
    await createTransformJob(aws, model, transformJobRequest(plan, drawing, instances));
  },
};

/** The optional channels that have data: SageMaker refuses an empty one. */
async function filledChannels(context: BucketContext, stage: StagePlan): Promise<string[]> {
  const optional = stage.kind === 'training' ? (stage.optionalChannels ?? {}) : {};
  const found: string[] = [];
  for (const [name, prefix] of Object.entries(optional)) {
    if ((await listKeys(context, prefix, 1)).length > 0) found.push(name);
  }
  return found;
}

/** The chunks that no earlier attempt has finished: each image depends on its seed alone. */
async function missingChunks(
  context: BucketContext,
  plan: Plan,
  { stage: of, round = 1 }: JobIdentity,
): Promise<number[]> {
  const { stage } = transformOf(plan, of);
  const all = Array.from({ length: chunksUntil(plan, stage, round) }, (_, chunk) => chunk);
  const outputs = await outputsBelow(context, keys.pictures(plan.runId, stage));
  const missing = all.filter((chunk) => !outputs.has(chunk));
  // SageMaker refuses an empty manifest. Nothing is missing when a run was stopped after a stage's last output and then
  // resumed; a chunk that is generated again gives the same images.
  return missing.length > 0 ? missing : all.slice(-1);
}

/** The job whose adapter generates the images of a stage. */
function adapterJob(plan: Plan, stage: JobStage, jobs: readonly JobRecord[]): string {
  const from = transformOf(plan, stage).adapterOf;
  const job = jobs.find((entry) => entry.stage === from && entry.state === 'SUCCEEDED');
  if (job === undefined) throw new Error(`stage ${stage} was started before ${from} had succeeded`);
  return job.jobName;
}

/** Stops a job whose run was stopped while it was being created, when end-run could not stop it yet. */
async function stopUnwanted(context: Context, identity: JobIdentity): Promise<void> {
  const job = (await listJobs(context, identity.run)).find((entry) => entry.jobName === nameOf(identity));
  if (job?.state !== 'FAILED') return;
  await stopJob(context, job);
  await deleteModelOf(context, job);
}

/** @throws the refusal under its own name */
async function refuse(context: TableContext, identity: JobIdentity, cause: Error): Promise<never> {
  const refusal = refusedJob(cause, 'run');
  const error = refusal.name as ErrorName;
  // An error that waiting helps against leaves the attempt open: no job came of it, and the next call creates it.
  if (!retryableNames().includes(error))
    await finishJob(context, identity, { state: 'FAILED', reported: true, error, message: refusal.message });
  throw refusal;
}
