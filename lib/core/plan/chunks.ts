/** The chunk objects of a stage that draws pictures: small JSON files, each one request to the container. */
import { LARGEST_PICTURE_SEED } from '../contract/fields.ts';
import type { Chunk, PictureRequest, Variant } from '../contract/pictures.ts';
import type { TransformStage } from '../words.ts';
import { type Plan, type TransformPlan, transformOf } from './plan.ts';

/** Seeds of proxies and samples lie apart, so that no proxy repeats a sample's noise. */
const LANES: Readonly<Record<TransformStage, number>> = {
  synthesize: 0,
  'sample-teacher': 1,
  'sample-student': 1,
};
const LANE_WIDTH = 1_000_000;
const SEEDS = LARGEST_PICTURE_SEED + 1;

/** Every chunk of a stage, in order. Teacher and student get the same prompts and seeds. */
export function chunksOf(plan: Plan, stage: TransformStage): Chunk[] {
  const variants: Variant[] = stage === 'synthesize' ? ['tuned'] : ['tuned', 'base'];
  const parts = variants.map((variant, lane) => ({ variant, pictures: picturesOf(plan, stage, lane) }));
  return toChunks(transformOf(plan, stage), parts);
}

/** Pictures as the objects that a transform is given; no chunk holds pictures of two variants. */
export function toChunks(
  how: TransformPlan,
  parts: readonly { readonly variant: Variant; readonly pictures: PictureRequest[] }[],
): Chunk[] {
  const { stage, size, batchSize, sampler, picturesPerChunk } = how;
  return parts
    .flatMap(({ variant, pictures: all }) =>
      split(all, picturesPerChunk).map((pictures) => ({ variant, pictures })),
    )
    .map(({ variant, pictures }, chunk) => ({
      version: 1,
      stage,
      chunk,
      variant,
      size,
      batch_size: batchSize,
      sampler,
      pictures,
    }));
}

function picturesOf(plan: Plan, stage: TransformStage, variantLane: number): PictureRequest[] {
  if (stage === 'synthesize') {
    return Array.from({ length: plan.proxies }, (_, index) => ({
      index,
      prompt: proxyPromptAt(plan, index),
      seed: pictureSeed(plan.seed, LANES[stage], index),
    }));
  }
  const { picturesPerPrompt, pictures } = plan.samples;
  return plan.prompts.evaluation.flatMap(({ prompt }, at) =>
    Array.from({ length: picturesPerPrompt }, (_, copy) => {
      const place = at * picturesPerPrompt + copy;
      // Both variants of a picture share prompt and seed; only their index differs.
      return {
        index: variantLane * pictures + place,
        prompt,
        seed: pictureSeed(plan.seed, LANES[stage], place),
      };
    }),
  );
}

/**
 * The prompt of one proxy. Those that name a context lie evenly over the run and take the contexts in turn, so that
 * any stretch of it, such as what was drawn before a stop, has its share of each.
 */
function proxyPromptAt({ prompts, proxies, proxiesInContext }: Plan, index: number): string {
  // Whole numbers throughout: the last proxy falls where it should at any share.
  const before = Math.floor((index * proxiesInContext) / proxies);
  const after = Math.floor(((index + 1) * proxiesInContext) / proxies);
  if (after === before) return prompts.proxy;
  return prompts.inContext[before % prompts.inContext.length]?.prompt ?? prompts.proxy;
}

/** Seed of one picture: a function of the request's seed and the picture's place, nothing else. */
export function pictureSeed(seed: number, lane: number, index: number): number {
  return (seed + lane * LANE_WIDTH + index) % SEEDS;
}

function split<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, part) =>
    items.slice(part * size, (part + 1) * size),
  );
}
