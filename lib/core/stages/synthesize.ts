/** The stage synthesize: the teacher generates the proxies. */
import { z } from 'zod';
import type { Recipe } from '../catalogue/recipes.ts';
import * as fields from '../contract/fields.ts';
import { ProxytuneError } from '../errors.ts';
import { chooseInstance, imagePlan } from '../plan/pricing.ts';
import type { GenerationPlan } from '../plan/stage-plan.ts';
import { JOB_KINDS, type Synthesis } from '../words.ts';
import { defined, guidance, instanceType, jobFields, type PartsWithTeacher } from './parts.ts';

export const synthesizeAdvanced = z
  .strictObject({
    steps: fields.denoisingSteps.describe('Denoising steps; more than 100 make no visible difference'),
    guidance,
    picturesPerChunk: fields.picturesPerChunk.describe(
      'Proxies per transform request; a request may last an hour',
    ),
    instanceType: instanceType('transform, or with synthesis spot for training'),
    instances: fields.instances.describe(
      'Instances that share the chunks, never more than have a chunk to generate; each loads the model, and more than 8 mostly load it. Default: 1',
    ),
  })
  .partial()
  .describe('Generating the proxies');
type SynthesizeAdvanced = z.infer<typeof synthesizeAdvanced>;

/** Of the managed-spot training job; a batch transform is given chunks alone. */
export const synthesizeHyperparameters = z.strictObject({
  stage: z.literal('synthesize'),
  ...jobFields,
  folder: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .describe('Where this attempt’s shards go; what lies in those of others is not drawn again'),
  chunks: z.int().min(1).describe('How many chunks are wanted so far, from the first on'),
});

/** Proxies a transform request. */
export function proxiesPerChunk(recipe: Recipe, advanced: SynthesizeAdvanced = {}): number {
  return advanced.picturesPerChunk ?? recipe.picturesPerChunk;
}

/** @throws RequestInvalid */
export function planSynthesize(
  parts: PartsWithTeacher,
  synthesis: Synthesis,
  advanced: SynthesizeAdvanced = {},
): GenerationPlan {
  const { context, teacher, recipes, counts, curation } = parts;
  const { sampler } = recipes.teacher;
  const own = sampler.kind === 'diffusion' ? { ...sampler, ...defined({ steps: advanced.steps }) } : sampler;
  const as = (kind: Synthesis) =>
    imagePlan('synthesize', teacher, recipes.teacher, counts.proxies, {
      kind,
      size: recipes.teacher.size,
      on: chooseInstance(teacher, JOB_KINDS[kind], advanced.instanceType, context.instanceTypes),
      sampler: { ...own, ...defined({ guidance: advanced.guidance }) },
      picturesPerChunk: counts.proxiesPerChunk,
      variants: 1,
      instances: advanced.instances,
      rounds: curation?.rounds,
    });
  return {
    ...as(synthesis),
    alternatives: { transform: priceOf(as, 'transform'), spot: priceOf(as, 'spot') },
  };
}

/** The price of the stage as a kind of job, or null where its instance type is not offered for that. */
function priceOf(as: (kind: Synthesis) => GenerationPlan, kind: Synthesis) {
  try {
    const { instanceType: type, minutes, usd } = as(kind);
    return { instanceType: type, minutes, usd };
  } catch (error) {
    if (error instanceof ProxytuneError && error.name === 'RequestInvalid') return null;
    throw error;
  }
}
