/** Recipes: the settings of one model in one role, a recipe a preset. */
import { z } from 'zod';
import { adapted } from '../contract/hyperparameters.ts';
import { sampler } from '../contract/pictures.ts';

export const PRESETS = ['draft', 'standard', 'best'] as const;
export type Preset = (typeof PRESETS)[number];

const samples = z
  .strictObject({
    pictures: z
      .int()
      .min(2)
      .describe('Of the subject alone: for fidelity, and against each other for diversity'),
    contexts: z.int().min(1).describe('In a context each: for prompt following'),
    keepPrompt: z.number().describe('Least share of the untuned model’s prompt following'),
    keepDiversity: z.number().describe('Least share of the photos’ own diversity'),
  })
  .describe('Drawn by the teacher at every checkpoint; the best checkpoint is handed on');

export const recipe = z.strictObject({
  rank: z.int(),
  alpha: z.int(),
  learningRate: z.number(),
  steps: z.int(),
  batchSize: z.int(),
  size: z.int(),
  checkpointEvery: z.int(),
  adapted: adapted.optional(),
  samples: samples.optional(),
  snrGamma: z.number().optional().describe('Min-SNR; without it all noise levels count alike'),
  captionDropout: z.number().optional(),
  sampler,
  drawBatch: z.int(),
  picturesPerChunk: z.int(),
});
/** The settings of one model in one role. */
export type Recipe = z.infer<typeof recipe>;
