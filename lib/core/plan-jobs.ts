/** The plan of one job: on which instance, for how long, for how much. */
import { type Instance, instance, instanceTypes, type Model, type Recipe } from './catalogue.ts';
import { usdFor } from './cost.ts';
import { ProxytuneError } from './errors.ts';
import type { TrainingPlan, TransformPlan } from './plan.ts';
import type { TrainingStage, TransformStage } from './words.ts';

/** A run that takes this many times its estimate is not slow but stuck. */
const PATIENCE = 4;
const LEAST_RUNTIME_SECONDS = 3600;
/**
 * The longest a job may run, however long it is expected to take: the state machine waits no longer, the role that
 * creates jobs may ask for no more, and an account's default quota is five days.
 */
export const LONGEST_RUNTIME_SECONDS = 72 * 3600;

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
  return { stage, kind: 'training', instanceType: on.type, ...priced(minutes, on), spot, compressed, ...job };
}

/** A batch transform that draws `picturesOfVariant` pictures of each variant. */
export function transformPlan(
  stage: TransformStage,
  model: Model,
  role: 'teacher' | 'student',
  recipe: Recipe,
  picturesOfVariant: number,
  rest: Pick<TransformPlan, 'sampler' | 'picturesPerChunk'> & {
    on: Instance;
    variants: 1 | 2;
    /** Jobs that share the pictures, at most; each loads the model. @default - 1 */
    rounds?: number | undefined;
  },
): TransformPlan {
  const { on, variants, sampler, picturesPerChunk, rounds } = rest;
  const pictures = picturesOfVariant * variants;
  return {
    stage,
    kind: 'transform',
    instanceType: on.type,
    ...drawingTime(model, pictures, on, rounds),
    adapterOf: role === 'teacher' ? 'teach' : 'learn',
    role,
    size: recipe.drawSize,
    batchSize: recipe.drawBatch,
    sampler,
    chunks: Math.ceil(picturesOfVariant / picturesPerChunk) * variants,
    pictures,
    picturesPerChunk,
  };
}

/** How long a transform that draws so many pictures takes, in all its rounds, for how much, and when it is given up. */
export function drawingTime(model: Model, pictures: number, on: Instance, rounds = 1) {
  return priced(rounds * model.minutes.load + pictures * model.minutes.perPicture, on);
}

/**
 * The instance of a job: the wanted one, or the first that the catalogue names for the model.
 *
 * @param offered - types that the deployment may start; AWS would refuse others, but only when their stage begins
 * @throws RequestInvalid
 */
export function chooseInstance(
  model: Model,
  kind: 'training' | 'transform',
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

function priced(minutes: number, on: Instance) {
  return {
    minutes: round(minutes, 2),
    usd: usdFor(minutes * 60, on),
    maxRuntimeSeconds: Math.min(
      LONGEST_RUNTIME_SECONDS,
      Math.max(LEAST_RUNTIME_SECONDS, Math.ceil(minutes * 60 * PATIENCE)),
    ),
  };
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
