/** The stage evaluate: CLIP and DINO score the photos, the proxies and the samples. */
import { z } from 'zod';
import { classPrompt } from '../catalogue/prompts.ts';
import { names } from '../contract/names.ts';
import { keys } from '../keys.ts';
import { PHOTO_LIMITS } from '../photos/limits.ts';
import { chooseInstance, trainingPlan } from '../plan/pricing.ts';
import type { TrainingJob } from '../plan/stage-plan.ts';
import { encodingMinutes } from '../plan/work.ts';
import {
  curationChannel,
  defined,
  hasTeacher,
  instanceType,
  jobFields,
  maskPrompt,
  type Parts,
} from './parts.ts';

const { channels, limits } = names;

/** Of a model: tuned and untuned. */
const SAMPLE_ROWS = 2;

export const evaluateAdvanced = z
  .strictObject({ instanceType: instanceType('training') })
  .partial()
  .describe('Scoring the images');

export const evaluateHyperparameters = z.strictObject({
  stage: z.literal('evaluate'),
  ...jobFields,
  mask_prompt: maskPrompt,
  masc_patches: z
    .int()
    .min(1)
    .max(4096)
    .optional()
    .describe('Patches of an image for MaSC; without it as many as the encoder’s folder says'),
});

/**
 * Scores the photos, so many of the proxies, and all samples. How many photos there are is known after the plan only; it
 * allows for the most. What the teacher generated at its checkpoints was measured by the stage teach.
 *
 * @param validated - whether the teacher generates images at its checkpoints, which the report then shows
 * @throws RequestInvalid
 */
export function planEvaluate(
  parts: Parts,
  validated: boolean,
  advanced: z.infer<typeof evaluateAdvanced> = {},
): TrainingJob<z.infer<typeof evaluateHyperparameters>> {
  const { context, clip, dino, segmenter, masc, dreamsim, named, counts, seed } = parts;
  const run = context.runId;
  const taught = hasTeacher(parts);
  const samples = SAMPLE_ROWS * (taught ? 2 : 1) * counts.prompts * counts.picturesPerPrompt;
  const pictures = PHOTO_LIMITS.maxPhotos + Math.min(counts.proxies, limits.scoredProxies) + samples;
  const minutes =
    clip.minutes.load +
    (masc?.siglip.minutes.load ?? 0) +
    (dreamsim?.minutes.load ?? 0) +
    encodingMinutes([clip, dino, ...(dreamsim ? [dreamsim] : [])], pictures) +
    // MaSC reads the photos first, to compare with.
    encodingMinutes(masc ? [masc.siglip, masc.segmenter] : [], PHOTO_LIMITS.maxPhotos + pictures);
  const on = chooseInstance(clip, 'training', advanced.instanceType, context.instanceTypes);
  return trainingPlan('evaluate', on, minutes, {
    hyperparameters: {
      stage: 'evaluate',
      family: 'clip-dino',
      model: clip.id,
      seed,
      ...(masc && { mask_prompt: classPrompt(named), ...defined({ masc_patches: masc.siglip.patches }) }),
    },
    channels: {
      // The channel is one object. SageMaker takes all keys that begin with this one, so no other key may.
      [channels.plan]: keys.plan(run),
      [channels.references]: keys.references(run),
      [channels.lossesStudent]: keys.losses(run, 'learn'),
      ...(taught && {
        [channels.lossesTeacher]: keys.losses(run, 'teach'),
        [channels.proxies]: keys.pictures(run, 'synthesize'),
        [channels.samplesTeacher]: keys.pictures(run, 'sample-teacher'),
      }),
      [channels.samplesStudent]: keys.pictures(run, 'sample-student'),
      ...(validated && { [channels.validation]: keys.teachSamples(run) }),
      [channels.clip]: keys.model(clip.id),
      [channels.dino]: keys.model(dino.id),
      ...(masc && {
        [channels.siglip]: keys.model(masc.siglip.id),
        [channels.segmenter]: keys.model(masc.segmenter.id),
      }),
      ...(dreamsim && { [channels.dreamsim]: keys.model(dreamsim.id) }),
      ...curationChannel(parts),
      // Masks that the user gave are next to the references.
      ...(segmenter && { [channels.masks]: keys.teachMasks(run) }),
    },
    compressed: false,
  });
}
