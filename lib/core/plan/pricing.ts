/** The plan of one job: on which instance, for how long, for how much. */
import {
  type Instance,
  instance,
  instanceTypes,
  type Model,
  type Recipe,
  SPOT_SAVING,
} from '../catalogue/catalogue.ts';
import { usdFor } from '../catalogue/cost.ts';
import { ProxytuneError } from '../errors.ts';
import type { JobKind, TrainingStage, TransformStage } from '../words.ts';
import { draws, type StagePlan, type TrainingPlan, type TransformPlan } from './plan.ts';

/** A run that takes this many times its estimate is not slow but stuck. */
const PATIENCE = 4;
const LEAST_RUNTIME_SECONDS = 3600;
/**
 * The longest a job may run, however long it is expected to take: the state machine waits no longer, the role that
 * creates jobs may ask for no more, and an account's default quota is five days.
 */
export const LONGEST_RUNTIME_SECONDS = 72 * 3600;

/**
 * How many GPUs share a teacher's batch: as many as can do so evenly. The container decides by the same rule
 * (containers/proxytune/training/launching.py).
 */
export function sharing({ gpus }: Instance, batchSize: number): number {
  let count = Math.max(1, Math.min(gpus, batchSize));
  while (batchSize % count !== 0) count -= 1;
  return count;
}

/** A training job on an instance. */
export function trainingPlan(
  stage: TrainingStage,
  on: Instance,
  minutes: number,
  rest: Pick<TrainingPlan, 'hyperparameters' | 'channels'> & {
    readonly spot?: boolean | undefined;
    readonly compressed?: boolean;
    readonly optionalChannels?: Record<string, string> | undefined;
  },
): TrainingPlan {
  const { spot = false, compressed = true, ...job } = rest;
  return {
    stage,
    kind: 'training',
    instanceType: on.type,
    ...priced(minutes, on, { spot }),
    spot,
    compressed,
    ...job,
  };
}

/** A job that draws `picturesOfVariant` pictures of each variant. */
export function transformPlan(
  stage: TransformStage,
  model: Model,
  role: 'teacher' | 'student',
  recipe: Recipe,
  picturesOfVariant: number,
  rest: Pick<TransformPlan, 'kind' | 'size' | 'sampler' | 'picturesPerChunk'> & {
    on: Instance;
    variants: 1 | 2;
    /** They share the pictures; never more than find a chunk in a round. @default - 1 */
    instances?: number | undefined;
    /** Jobs one after another, at most; each loads the model. @default - 1 */
    rounds?: number | undefined;
  },
): TransformPlan {
  const { kind, size, on, variants, sampler, picturesPerChunk, rounds } = rest;
  const chunks = Math.ceil(picturesOfVariant / picturesPerChunk) * variants;
  const inRound = Math.ceil(chunks / (rounds ?? 1));
  const asked = { kind, instanceType: on.type, instances: rest.instances ?? 1 };
  const instances = instancesFor(asked, inRound);
  const pictures = picturesOfVariant * variants;
  return {
    stage,
    kind,
    instances,
    instanceType: on.type,
    ...drawingTime(model, { pictures, size }, on, {
      instances,
      lanes: Math.min(instances * lanesOf(kind, on), inRound),
      rounds,
      spot: kind === 'spot',
    }),
    adapterOf: role === 'teacher' ? 'teach' : 'learn',
    role,
    size,
    batchSize: recipe.drawBatch,
    sampler,
    chunks,
    pictures,
    picturesPerChunk,
  };
}

/** GPUs of an instance that draw: a training job has a process for each, a batch transform one server. */
export function lanesOf(kind: TransformPlan['kind'], on: Instance): number {
  return kind === 'spot' ? Math.max(1, on.gpus) : 1;
}

/**
 * How many of a stage's instances find something to draw where so many chunks are left: one that finds nothing would
 * load the model, wait for the others, and be paid.
 */
export function instancesFor(
  { kind, instanceType, instances }: Pick<TransformPlan, 'kind' | 'instanceType' | 'instances'>,
  chunks: number,
): number {
  return Math.max(1, Math.min(instances, Math.ceil(chunks / lanesOf(kind, instance(instanceType)))));
}

/** How pictures are shared out, and at which price. */
interface Shared {
  /** At once; each is paid for. @default - 1 */
  readonly instances?: number | undefined;
  /** GPUs that draw at once, each with the model loaded. @default - one an instance */
  readonly lanes?: number | undefined;
  /** One after another; each loads the model. @default - 1 */
  readonly rounds?: number | undefined;
  /** @default - false */
  readonly spot?: boolean | undefined;
}

/** How long jobs that draw so many pictures take, in all their rounds, for how much, and when one is given up. */
export function drawingTime(
  model: Model,
  { pictures, size }: { readonly pictures: number; readonly size: number },
  on: Instance,
  how: Shared = {},
) {
  const { instances = 1, lanes = instances, rounds = 1 } = how;
  const minutes = rounds * model.minutes.load + (pictures / lanes) * minutesPerPicture(model, size);
  return priced(minutes, on, how);
}

/** The side at which a teacher draws: what the student needs, unless that is too small for it. */
export function teacherDrawSize(teacher: Model, student: Recipe): number {
  return Math.max(student.size, teacher.draw?.least ?? 0);
}

/** A picture's minutes, in proportion to its area where the model draws several sizes. */
export function minutesPerPicture({ minutes, draw }: Model, size: number): number {
  return minutes.perPicture * (draw === undefined ? 1 : (size / draw.timedAt) ** 2);
}

/** What a stage costs where spot saves nothing: the most that its expected minutes can cost. */
export function listUsd(stage: StagePlan): number {
  return usdFor(stage.minutes * 60, instance(stage.instanceType), draws(stage) ? stage.instances : 1);
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

function priced(
  minutes: number,
  on: Instance,
  { instances = 1, spot = false }: Pick<Shared, 'instances' | 'spot'> = {},
) {
  return {
    minutes: round(minutes, 2),
    usd: round(usdFor(minutes * 60, on, instances) * (spot ? 1 - SPOT_SAVING : 1), 4),
    maxRuntimeSeconds: Math.min(
      LONGEST_RUNTIME_SECONDS,
      Math.max(LEAST_RUNTIME_SECONDS, Math.ceil(minutes * 60 * PATIENCE)),
    ),
  };
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
