/** How long a job's work takes: so much of it, at the catalogue's rates. */
import type { Model } from '../catalogue/models.ts';
import type { Recipe } from '../catalogue/recipes.ts';

/**
 * A step has a forward pass, and a backward pass that takes about as long, as the frozen weights need no gradients. The
 * untuned network is one forward pass more.
 */
const MASKED_STEP = 1.5;
/** Gradients of all weights take as long as the forward pass too; LoRA needs next to none of them. */
const ALL_WEIGHTS_STEP = 1.5;

/** The properties of an image that its duration depends on. */
export interface Drawn {
  readonly size: number;
  readonly sampler: Recipe['sampler'];
}

/** A picture's minutes: in proportion to its area and its denoising steps, where the model draws several sizes. */
export function minutesPerPicture({ minutes, draw }: Model, { size, sampler }: Drawn): number {
  if (draw === undefined) return minutes.perPicture;
  const steps = sampler.kind === 'diffusion' ? sampler.steps / draw.timedSteps : 1;
  return minutes.perPicture * (size / draw.timedAt) ** 2 * steps;
}

/**
 * Minutes of all steps of a training: in proportion to a step's pictures and their area.
 *
 * @param standard - the recipe whose batches the model's minutes are of
 */
export function trainingMinutes(
  { minutes, draw }: Model,
  recipe: Recipe,
  standard: Recipe,
  {
    classImages = false,
    masked = false,
    allWeights = false,
    gpus = 1,
  }: {
    /** True when each step has as many class images as pictures of the subject. @default - false */
    readonly classImages?: boolean;
    /** True when each step also computes what the untuned network predicts. @default - false */
    readonly masked?: boolean;
    /** True when all weights train, whose minutes are LoRA's otherwise. @default - false */
    readonly allWeights?: boolean;
    /** They share each batch. @default - 1 */
    readonly gpus?: number;
  } = {},
): number {
  const area = draw === undefined ? 1 : (recipe.size / draw.trainingTimedAt) ** 2;
  const batches = (recipe.batchSize / standard.batchSize) * (classImages ? 2 : 1);
  const passes = (masked ? MASKED_STEP : 1) * (allWeights ? ALL_WEIGHTS_STEP : 1);
  return (recipe.steps * minutes.perStep * batches * area * passes) / gpus;
}

/**
 * Minutes in which the encoders read pictures.
 *
 * @param encoders - those that read each of them
 */
export function encodingMinutes(encoders: readonly Model[], pictures: number): number {
  return encoders.reduce((sum, { minutes }) => sum + pictures * minutes.perPicture, 0);
}

/**
 * Pictures of the one of several GPUs that has most to draw. Chunks are dealt in turn and never parted, so GPUs differ by
 * a chunk, and the job lasts as long as its busiest one.
 */
export function busiestShare(pictures: number, picturesPerChunk: number, gpus: number): number {
  const chunks = Math.ceil(pictures / picturesPerChunk);
  const most = Math.ceil(chunks / gpus) * picturesPerChunk;
  const missing = chunks * picturesPerChunk - pictures;
  // The last chunk alone may be smaller; it counts where the first GPU, which always has most, is dealt it.
  return (chunks - 1) % gpus === 0 ? most - missing : most;
}
