/** The plan of one job: on which instance, for how long, for how much. */

import { usdFor } from '../catalogue/cost.ts';
import { type Instance, instance, instanceTypes, SPOT_SAVING } from '../catalogue/instances.ts';
import type { Model } from '../catalogue/models.ts';
import type { Recipe } from '../catalogue/recipes.ts';
import { names } from '../contract/names.ts';
import { ProxytuneError } from '../errors.ts';
import type { JobKind, TrainingStage, TransformStage } from '../words.ts';
import { type GenerationPlan, generatesImages, type TrainingJob } from './stage-plan.ts';
import { busiestShare, type Drawn, minutesPerPicture } from './work.ts';

/** A run that takes this many times its estimate is not slow but stuck. */
const PATIENCE = 4;
const LEAST_RUNTIME_SECONDS = 3600;
/**
 * The longest a job may run, however long it is expected to take: the state machine waits no longer, the role that
 * creates jobs may ask for no more, and an account's default quota is five days.
 */
export const LONGEST_RUNTIME_SECONDS = 72 * 3600;

/**
 * How many GPUs share a training's batch: as many as can do so evenly. The container decides by the same rule;
 * containers/tests/contract/batch_sharing.json holds both to it.
 */
export function sharing({ gpus }: Instance, batchSize: number): number {
  let count = Math.max(1, Math.min(gpus, batchSize));
  while (batchSize % count !== 0) count -= 1;
  return count;
}

/** A training job on an instance. */
export function trainingPlan<Hyperparameters>(
  stage: TrainingStage,
  on: Instance,
  minutes: number,
  rest: Pick<TrainingJob<Hyperparameters>, 'hyperparameters' | 'channels'> & {
    readonly spot?: boolean | undefined;
    readonly compressed?: boolean;
    readonly optionalChannels?: Record<string, string> | undefined;
  },
): TrainingJob<Hyperparameters> {
  const { spot = false, compressed = true, ...job } = rest;
  return {
    stage,
    kind: 'training',
    instanceType: on.type,
    ...priced([{ minutes }], on, spot),
    spot,
    compressed,
    ...job,
  };
}

/** A job that draws `picturesOfVariant` pictures of each variant. */
export function imagePlan(
  stage: TransformStage,
  model: Model,
  recipe: Recipe,
  picturesOfVariant: number,
  rest: Pick<GenerationPlan, 'kind' | 'size' | 'sampler' | 'picturesPerChunk'> & {
    on: Instance;
    variants: 1 | 2;
    /** They share the pictures; never more than find a chunk in a round. @default - 1 */
    instances?: number | undefined;
    /** Pictures that are there at the end of each of the jobs that draw them one after another. @default - one job */
    rounds?: readonly number[] | undefined;
  },
): GenerationPlan {
  const role = names.stageRoles[stage];
  const { kind, size, on, variants, sampler, picturesPerChunk } = rest;
  const pictures = picturesOfVariant * variants;
  const asked = { kind, instanceType: on.type, instances: rest.instances ?? 1 };
  const jobs = (rest.rounds ?? [pictures]).map((end, round, ends) => {
    const own = end - (ends[round - 1] ?? 0);
    const chunks = Math.ceil(own / variants / picturesPerChunk) * variants;
    const instances = instancesFor(asked, chunks);
    const gpus = Math.min(instances * gpusThatGenerate(kind, on), chunks);
    return { chunks, instances, pictures: gpus > 1 ? busiestShare(own, picturesPerChunk, gpus) : own };
  });
  return {
    stage,
    kind,
    instances: Math.max(...jobs.map(({ instances }) => instances)),
    instanceType: on.type,
    ...drawingTime(model, { size, sampler }, on, jobs, kind === 'spot'),
    adapterOf: role === 'teacher' ? 'teach' : 'learn',
    role,
    size,
    batchSize: recipe.drawBatch,
    sampler,
    chunks: jobs.reduce((sum, { chunks }) => sum + chunks, 0),
    pictures,
    picturesPerChunk,
  };
}

/** GPUs of an instance that generate: a training job has a worker for each, a batch transform one server. */
export function gpusThatGenerate(kind: GenerationPlan['kind'], on: Instance): number {
  return kind === 'spot' ? Math.max(1, on.gpus) : 1;
}

/**
 * How many of a stage's instances find something to draw where so many chunks are left: one that finds nothing would
 * load the model, wait for the others, and be paid.
 */
export function instancesFor(
  { kind, instanceType, instances }: Pick<GenerationPlan, 'kind' | 'instanceType' | 'instances'>,
  chunks: number,
): number {
  return Math.max(1, Math.min(instances, Math.ceil(chunks / gpusThatGenerate(kind, instance(instanceType)))));
}

/** A job that draws pictures. */
interface DrawingJob {
  /** Those of its busiest GPU. */
  readonly pictures: number;
  /** At once; each is paid for as long as the job lasts. @default - 1 */
  readonly instances?: number;
}

/** How long jobs that draw pictures one after another take together, for how much, and when one of them is given up. */
export function drawingTime(
  model: Model,
  drawn: Drawn,
  on: Instance,
  jobs: readonly DrawingJob[],
  spot = false,
) {
  const perPicture = minutesPerPicture(model, drawn);
  return priced(
    jobs.map(({ pictures, instances }) => ({
      minutes: model.minutes.load + pictures * perPicture,
      instances,
    })),
    on,
    spot,
  );
}

/** The price of a stage where spot saves nothing: the most that its expected minutes can cost. */
export function listUsd(stage: TrainingJob<unknown> | GenerationPlan): number {
  return usdFor(
    stage.minutes * 60,
    instance(stage.instanceType),
    generatesImages(stage) ? stage.instances : 1,
  );
}

/**
 * The instance of a job: the wanted one, or the first that the catalogue names for the model.
 *
 * @param offered - types that the deployment may start; AWS would refuse others, but only when their stage begins
 * @throws RequestInvalid
 */
export function chooseInstance(
  model: Model,
  kind: JobKind,
  wanted?: string,
  offered: readonly string[] = instanceTypes(),
): Instance {
  const suited = model.instances[kind].filter((type) => offered.includes(type));
  const type = wanted ?? suited[0];
  if (type === undefined)
    throw unsuited(
      `This deployment offers no instance type for ${model.title}`,
      offered.join(', '),
      model.instances[kind],
    );
  const row = instance(type);
  if (!row[kind]) throw unsuited(`SageMaker offers this instance type for no ${kind} job`, type, suited);
  if (!offered.includes(type))
    throw unsuited('This deployment may not start this instance type', type, suited);
  return row;
}

function unsuited(what: string, given: string, allowed: readonly string[]): ProxytuneError {
  return new ProxytuneError('RequestInvalid', {
    what,
    given,
    allowed: allowed.join(', '),
    remedy:
      'choose another instanceType, or leave it out; a deployment offers what its setting instanceTypes names',
  });
}

/** Of jobs one after another, each of which may take as long as the longest. */
function priced(
  jobs: readonly { readonly minutes: number; readonly instances?: number | undefined }[],
  on: Instance,
  spot: boolean,
) {
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  const usd = sum(jobs.map(({ minutes, instances }) => usdFor(minutes * 60, on, instances)));
  const longest = Math.max(...jobs.map(({ minutes }) => minutes));
  return {
    minutes: round(sum(jobs.map(({ minutes }) => minutes)), 2),
    usd: round(usd * (spot ? 1 - SPOT_SAVING : 1), 4),
    maxRuntimeSeconds: Math.min(
      LONGEST_RUNTIME_SECONDS,
      Math.max(LEAST_RUNTIME_SECONDS, Math.ceil(longest * 60 * PATIENCE)),
    ),
  };
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
