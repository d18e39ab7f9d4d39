/** The stages sample-teacher and sample-student: both models generate the evaluation prompts, tuned and untuned. */
import { z } from 'zod';
import { WORLDS, worldOf } from '../catalogue/domains.ts';
import * as fields from '../contract/fields.ts';
import { chooseInstance, imagePlan } from '../plan/pricing.ts';
import type { GenerationPlan } from '../plan/stage-plan.ts';
import { defined, guidance, instanceType, type Parts } from './parts.ts';

/** Of the world that has most; fewer of the others are held by its own rule. */
const MOST_EVALUATION_PROMPTS = Math.max(...WORLDS.map((name) => worldOf(name).evaluation.length));

export const sampleAdvanced = z
  .strictObject({
    prompts: z
      .int()
      .min(1)
      .max(MOST_EVALUATION_PROMPTS)
      .describe('Evaluation prompts, from the first on; the miniature world has 6'),
    picturesPerPrompt: fields.picturesPerPrompt.describe(
      'Pictures a prompt; the paper uses 4, and more than 16 no longer narrow the intervals',
    ),
    guidance,
    instanceType,
  })
  .partial()
  .describe('The pictures that are measured');

/** @throws RequestInvalid */
export function planSample(
  { context, teacher, student, recipes, sizes, counts }: Parts,
  role: 'teacher' | 'student',
  advanced: z.infer<typeof sampleAdvanced> = {},
): GenerationPlan {
  const model = role === 'teacher' ? teacher : student;
  const recipe = recipes[role];
  return imagePlan(`sample-${role}`, model, role, recipe, counts.prompts * counts.picturesPerPrompt, {
    kind: 'transform',
    size: sizes[role],
    on: chooseInstance(model, 'transform', advanced.instanceType, context.instanceTypes),
    sampler: { ...recipe.sampler, ...defined({ guidance: advanced.guidance }) },
    picturesPerChunk: recipe.picturesPerChunk,
    variants: 2,
  });
}
