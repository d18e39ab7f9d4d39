/** Recipes: the settings of one model in one role, a recipe a preset. */
import { z } from 'zod';
import * as fields from '../contract/fields.ts';
import { sampler } from '../contract/pictures.ts';

export const PRESETS = ['draft', 'standard', 'best'] as const;
export type Preset = (typeof PRESETS)[number];

const validation = z
  .strictObject({
    pictures: fields.validationPictures.describe(
      'Of the subject alone: for fidelity, and against each other for diversity',
    ),
    contexts: z.int().min(1).describe('In a context each: for prompt following'),
    keepPrompt: fields.share.describe('Least share of the untuned model’s prompt following'),
    keepDiversity: fields.share.describe('Least share of the photos’ own diversity'),
  })
  .describe(
    'Validation images that the teacher generates at every checkpoint; the best checkpoint is selected',
  );

export const recipe = z.strictObject({
  rank: fields.rank,
  alpha: fields.alpha,
  learningRate: fields.learningRate,
  steps: fields.steps,
  batchSize: fields.batchSize,
  size: fields.side.describe(
    'Side of the images that are trained on and generated; a teacher’s follows a larger student',
  ),
  checkpointEvery: fields.checkpointEvery,
  adapted: fields.adapted.optional(),
  validation: validation.optional(),
  snrGamma: fields.snrGamma.optional().describe('Min-SNR; without it all noise levels count alike'),
  captionDropout: fields.share.optional(),
  sampler,
  drawBatch: fields.generationBatch,
  picturesPerChunk: fields.picturesPerChunk,
  source: z.string().min(1).describe('Where schedule, warm-up, rank, steps and size come from'),
});
/** The settings of one model in one role. */
export type Recipe = z.infer<typeof recipe>;
