/** Creates the job of an attempt: its request, and those of its inputs that do not exist yet. */
import { createTrainingJob, createTransformJob, type JobsContext } from '../../lib/aws/jobs.ts';
import { outputsBelow } from '../../lib/aws/outcomes.ts';
import { type BucketContext, listKeys, writeJson } from '../../lib/aws/s3.ts';
import { artifactOf, folderOfArchive } from '../../lib/core/jobs/artifacts.ts';
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
import { type Plan, type StagePlan, stageOf, transformOf } from '../../lib/core/plan/plan.ts';
import { instancesFor } from '../../lib/core/plan/pricing.ts';
import { generatesImages } from '../../lib/core/plan/stage-plan.ts';
import { chunksUntil } from '../../lib/core/stages/rounds.ts';
import type { JobStage } from '../../lib/core/words.ts';
import { setting } from '../shared/settings.ts';

/** The remaining work of a job that generates images. */
export interface Work {
  readonly chunks: readonly number[];
  readonly instances: number;
}

/** @returns undefined for a stage that does not generate images */
export async function workOf(
  context: BucketContext,
  plan: Plan,
  identity: JobIdentity,
  jobs: readonly JobRecord[],
): Promise<Work | undefined> {
  const stage = stageOf(plan, identity.stage);
  if (!generatesImages(stage)) return undefined;
  const chunks = await missingChunks(context, plan, identity);
  // An attempt that is already recorded is billed for the instances in its record.
  const begun = jobs.find((job) => job.jobName === jobName(identity, setting('JOB_PREFIX')))?.instances;
  const most = stage.kind === 'spot' && lostChunks(jobs, identity) ? 1 : instancesFor(stage, chunks.length);
  return { chunks, instances: begun ?? most };
}

/**
 * Returns true if an earlier attempt of this round ended without all of its chunks. Spot hosts mirror their checkpoint
 * folders to one prefix, and no document rules out that a host removes what another one wrote. Later attempts of a
 * spot stage therefore run on a single host.
 */
function lostChunks(jobs: readonly JobRecord[], { stage, round = 1 }: JobIdentity): boolean {
  return jobs.filter((job) => isOf(job, stage, round)).some(({ error }) => error === 'ChunksMissing');
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
  // SageMaker refuses an empty manifest. Nothing is missing if a run was stopped after the last output of a stage and
  // then resumed. Generating a chunk again gives the same images.
  return missing.length > 0 ? missing : all.slice(-1);
}

type Context = BucketContext & JobsContext;

interface Attempt {
  readonly plan: Plan;
  readonly identity: JobIdentity;
  /** All jobs of the run. */
  readonly jobs: readonly JobRecord[];
  readonly work: Work | undefined;
  /** It was recorded by an earlier call, from which parts may exist. */
  readonly again: boolean;
}

export async function createJob(aws: Context, attempt: Attempt): Promise<void> {
  const context = {
    roleArn: setting('JOB_ROLE_ARN'),
    imageUri: imageOf(attempt.plan),
    jobPrefix: setting('JOB_PREFIX'),
  };
  await CREATORS[stageOf(attempt.plan, attempt.identity.stage).kind](aws, attempt, context);
}

/** The image that plan-run has checked. One that was deployed later may not fit the run's earlier jobs. */
function imageOf({ runId, image }: Plan): string {
  if (image === null) throw new Error(`the plan of ${runId} names no container image`);
  return image.uri;
}

const NO_WORK: Work = { chunks: [], instances: 1 };

type Create = (aws: Context, attempt: Attempt, context: JobContext) => Promise<void>;

const CREATORS: Readonly<Record<StagePlan['kind'], Create>> = {
  async training(aws, { plan, identity }, context) {
    const found = await filledChannels(aws, stageOf(plan, identity.stage));
    await createTrainingJob(aws, trainingJobRequest(plan, identity, { ...context, found }));
  },
  async spot(aws, { plan, identity, jobs, work = NO_WORK }, context) {
    const adapterFolder = folderOfArchive(adapterOf(plan, identity.stage, jobs));
    const { instances } = work;
    await createTrainingJob(
      aws,
      spotDrawingRequest(plan, identity, { ...context, adapterFolder, instances }),
    );
  },
  async transform(aws, { plan, identity, jobs, work = NO_WORK, again }, context) {
    const drawing = drawingOf(plan, identity, context.jobPrefix);
    const named = manifest(plan.bucket, drawing.chunks, work.chunks.map(chunkName));
    await writeJson(aws, keys.manifest(plan.runId, drawing.name), named);
    const artifactUri = `s3://${plan.bucket}/${adapterOf(plan, identity.stage, jobs)}`;
    const model = modelRequest(plan, drawing, { ...context, artifactUri, region: setting('AWS_REGION') });
    await createTransformJob(aws, model, transformJobRequest(plan, drawing, work.instances), { again });
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

/** The key of the adapter that generates the images of a stage. */
function adapterOf(plan: Plan, stage: JobStage, jobs: readonly JobRecord[]): string {
  const from = transformOf(plan, stage).adapterOf;
  const job = jobs.find((entry) => entry.stage === from && entry.state === 'SUCCEEDED');
  if (job === undefined) throw new Error(`stage ${stage} was started before ${from} had succeeded`);
  return artifactOf(job, plan.bucket);
}
