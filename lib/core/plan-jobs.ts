/** The plan of one job: on which instance, for how long, for how much. */
import { type Instance, instance, type Model, type Recipe } from './catalogue.ts';
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

/** A training on the wanted instance type, or the first that the catalogue names for the model. */
export function trainingPlan(
  stage: TrainingStage,
  model: Model,
  override: { instanceType?: string | undefined; spot?: boolean | undefined },
  minutes: number,
  rest: Pick<TrainingPlan, 'hyperparameters' | 'channels'> & { compressed?: boolean },
): TrainingPlan {
  const on = choose(model, 'training', override.instanceType);
  return {
    stage,
    kind: 'training',
    instanceType: on.type,
    ...priced(minutes, on),
    spot: override.spot ?? false,
    compressed: true,
    ...rest,
  };
}

/** A batch transform that draws `picturesOfVariant` pictures of each variant. */
export function transformPlan(
  stage: TransformStage,
  model: Model,
  role: 'teacher' | 'student',
  recipe: Recipe,
  picturesOfVariant: number,
  rest: Pick<TransformPlan, 'sampler' | 'picturesPerChunk'> & { variants: 1 | 2 },
): TransformPlan {
  const on = choose(model, 'transform');
  const pictures = picturesOfVariant * rest.variants;
  return {
    stage,
    kind: 'transform',
    instanceType: on.type,
    ...priced(model.minutes.load + pictures * model.minutes.perPicture, on),
    adapterOf: role === 'teacher' ? 'teach' : 'learn',
    role,
    size: recipe.drawSize,
    batchSize: recipe.drawBatch,
    sampler: rest.sampler,
    chunks: Math.ceil(picturesOfVariant / rest.picturesPerChunk) * rest.variants,
    pictures,
    picturesPerChunk: rest.picturesPerChunk,
  };
}

function choose(model: Model, kind: 'training' | 'transform', wanted?: string): Instance {
  const row = instance(wanted ?? model.instances[kind][0] ?? '');
  if (row[kind]) return row;
  throw new ProxytuneError('RequestInvalid', {
    what: `SageMaker offers this instance type for no ${kind} job`,
    given: row.type,
    allowed: model.instances[kind].join(', '),
    remedy: 'choose another instanceType, or leave it out',
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
