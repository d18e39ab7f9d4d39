/** The stages sample-teacher and sample-student: both models generate the evaluation prompts, tuned and untuned. */
import { z } from 'zod';
import { DOMAINS, domainOf } from '../catalogue/domains.ts';
import type { Model } from '../catalogue/models.ts';
import type { Recipe } from '../catalogue/recipes.ts';
import * as fields from '../contract/fields.ts';
import { chooseInstance, imagePlan } from '../plan/pricing.ts';
import type { GenerationPlan } from '../plan/stage-plan.ts';
import { defined, guidance, instanceType, type Parts } from './parts.ts';

/** Of the longest list; a rule of its own (request/domain-rules.ts) limits the others. */
const MOST_EVALUATION_PROMPTS = Math.max(
  ...DOMAINS.flatMap((name) => Object.values(domainOf(name).evaluation).map(({ prompts }) => prompts.length)),
);

export const sampleAdvanced = z
  .strictObject({
    prompts: z
      .int()
      .min(1)
      .max(MOST_EVALUATION_PROMPTS)
      .describe(
        'Number of evaluation prompts, from the first on; the miniature world has 6. Default: 8 for draft, else all',
      ),
    picturesPerPrompt: fields.picturesPerPrompt.describe(
      'Images a prompt; more than 16 no longer narrow the intervals. Default: 1 for draft, else the paper’s 4',
    ),
    guidance,
    instanceType: instanceType('transform, for teacher and student alike'),
  })
  .partial()
  .describe('Generating the images that are scored');

/** @throws RequestInvalid */
export function planSample(
  { context, counts }: Parts,
  model: Model,
  recipe: Recipe,
  stage: 'sample-teacher' | 'sample-student',
  advanced: z.infer<typeof sampleAdvanced> = {},
): GenerationPlan {
  return imagePlan(stage, model, recipe, counts.prompts * counts.picturesPerPrompt, {
    kind: 'transform',
    size: recipe.size,
    on: chooseInstance(model, 'transform', advanced.instanceType, context.instanceTypes),
    sampler: { ...recipe.sampler, ...defined({ guidance: advanced.guidance }) },
    picturesPerChunk: recipe.picturesPerChunk,
    variants: 2,
  });
}
