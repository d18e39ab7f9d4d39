/** The stage learn: the student learns the proxies. */
import { z } from 'zod';
import { proxyPrompt } from '../catalogue/prompts.ts';
import * as fields from '../contract/fields.ts';
import { names } from '../contract/names.ts';
import { keys } from '../keys.ts';
import { chooseInstance, sharing, trainingPlan } from '../plan/pricing.ts';
import type { TrainingJob } from '../plan/stage-plan.ts';
import { trainingMinutes } from '../plan/work.ts';
import { curationChannel, type Parts } from './parts.ts';
import { trainingAdvanced, trainingHyperparameters, trainingSettings, tuned } from './training.ts';
import { tuningHyperparameters } from './tuning.ts';

const { channels } = names;

/** Where a recipe names none. */
const USUAL_CAPTION_DROPOUT = 0.1;
/** As little as still tells the student what is not the subject; see docs/miniature.md. */
const USUAL_BACKGROUND_WEIGHT = 0.5;

export const learnAdvanced = z
  .strictObject({
    ...trainingAdvanced,
    backgroundWeight: fields.share.describe(
      `Weight of the background of a masked proxy in the loss, relative to the subject. 0: it has none, and is painted over. Without effect on proxies without a mask. Default: ${USUAL_BACKGROUND_WEIGHT}`,
    ),
  })
  .partial()
  .describe('The student’s training');

export const learnHyperparameters = z.strictObject({
  stage: z.literal('learn'),
  ...trainingHyperparameters,
  caption: z.string().min(1).describe('Caption of every proxy: the prompt it was synthesised from'),
  token_word: z
    .string()
    .min(1)
    .describe('The word that stands for the subject; must survive the caption cleaner'),
  caption_dropout: fields.share.describe('Share of steps trained without caption, for guidance'),
  proxies: fields.proxies.describe(
    'Number of proxies that must be there; with `curated` the most there may be',
  ),
  curated: z.boolean().optional().describe('The channel `curation` says which proxies are there and kept'),
  background_weight: fields.share
    .optional()
    .describe('Of the background in the loss; with it the channel `proxy-masks` holds a mask of each proxy'),
  ...tuningHyperparameters,
});

/** @throws RequestInvalid */
export function planLearn(
  parts: Parts,
  advanced: z.infer<typeof learnAdvanced> = {},
): TrainingJob<z.infer<typeof learnHyperparameters>> {
  const { context, student, segmenter, named, counts, curation, seed } = parts;
  const masked = segmenter !== undefined;
  const recipe = tuned(parts.recipes.student, advanced);
  const on = chooseInstance(student, 'training', advanced.instanceType, context.instanceTypes);
  const minutes =
    student.minutes.load +
    trainingMinutes(student, recipe, parts.recipes.student, { gpus: sharing(on, recipe.batchSize) });
  return trainingPlan('learn', on, minutes, {
    spot: advanced.spot,
    hyperparameters: {
      stage: 'learn',
      ...trainingSettings(student, recipe, seed),
      caption: proxyPrompt(named),
      token_word: named.tokenWord,
      caption_dropout: recipe.captionDropout ?? USUAL_CAPTION_DROPOUT,
      proxies: counts.proxies,
      ...(curation === null ? {} : { curated: true }),
      ...(masked && { background_weight: advanced.backgroundWeight ?? USUAL_BACKGROUND_WEIGHT }),
    },
    channels: {
      [channels.base]: keys.model(student.id),
      [channels.proxies]: keys.pictures(context.runId, 'synthesize'),
      ...curationChannel(parts),
      ...(masked && { [channels.proxyMasks]: keys.proxyMasks(context.runId) }),
    },
  });
}
