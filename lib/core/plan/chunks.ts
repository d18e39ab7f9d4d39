/** The chunk objects of a stage that draws pictures: small JSON files, each one request to the container. */
import { LARGEST_PICTURE_SEED } from '../contract/fields.ts';
import { names } from '../contract/names.ts';
import type { Chunk, PictureRequest, Variant } from '../contract/pictures.ts';
import type { TransformStage } from '../words.ts';
import { type Plan, transformOf } from './plan.ts';
import type { GenerationPlan } from './stage-plan.ts';

const { streams, streamWidth } = names.seeds;

const STREAMS: Readonly<Record<TransformStage, number>> = {
  synthesize: streams.proxies,
  'sample-teacher': streams.samples,
  'sample-student': streams.samples,
};
const SEEDS = LARGEST_PICTURE_SEED + 1;

/** Every chunk of a stage, in order. Teacher and student get the same prompts and seeds. */
export function chunksOf(plan: Plan, stage: TransformStage): Chunk[] {
  const variants: Variant[] = stage === 'synthesize' ? ['tuned'] : ['tuned', 'base'];
  const parts = variants.map((variant, number) => ({ variant, pictures: picturesOf(plan, stage, number) }));
  return toChunks(transformOf(plan, stage), parts);
}

/** Pictures as the objects that a transform is given; no chunk holds pictures of two variants. */
export function toChunks(
  how: GenerationPlan,
  parts: readonly { readonly variant: Variant; readonly pictures: PictureRequest[] }[],
): Chunk[] {
  const { stage, size, batchSize, sampler, picturesPerChunk, pictures: inAll } = how;
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
      stage_pictures: inAll,
      pictures,
    }));
}

function picturesOf(plan: Plan, stage: TransformStage, variantNumber: number): PictureRequest[] {
  if (stage === 'synthesize') {
    return Array.from({ length: plan.proxies ?? 0 }, (_, index) => ({
      index,
      prompt: proxyPromptAt(plan, index),
      seed: pictureSeed(plan.seed, STREAMS[stage], index),
    }));
  }
  const { picturesPerPrompt, pictures } = plan.samples;
  return plan.prompts.evaluation.flatMap(({ prompt }, at) =>
    Array.from({ length: picturesPerPrompt }, (_, copy) => {
      const place = at * picturesPerPrompt + copy;
      // Both variants of a picture share prompt and seed; only their index differs.
      return {
        index: variantNumber * pictures + place,
        prompt,
        seed: pictureSeed(plan.seed, STREAMS[stage], place),
      };
    }),
  );
}

/**
 * The prompt of one proxy. Those that name a context lie evenly over the run and take the contexts in turn, so that
 * any stretch of it, such as what was drawn before a stop, has its share of each.
 */
function proxyPromptAt({ prompts, proxies, proxiesInContext }: Plan, index: number): string {
  if (proxies === null) return prompts.proxy;
  // Whole numbers throughout: the last proxy falls where it should at any share.
  const before = Math.floor((index * proxiesInContext) / proxies);
  const after = Math.floor(((index + 1) * proxiesInContext) / proxies);
  if (after === before) return prompts.proxy;
  return prompts.inContext[before % prompts.inContext.length]?.prompt ?? prompts.proxy;
}

/** Seed of one picture: a function of the request's seed and the picture's place, nothing else. */
export function pictureSeed(seed: number, stream: number, index: number): number {
  return (seed + stream * streamWidth + index) % SEEDS;
}

function split<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, part) =>
    items.slice(part * size, (part + 1) * size),
  );
}
