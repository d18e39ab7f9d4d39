/** The stage learn: the student learns the proxies, or what its method trains on instead. */
import { z } from 'zod';
import { type Instance, instance } from '../catalogue/instances.ts';
import type { Method } from '../catalogue/methods.ts';
import type { Model } from '../catalogue/models.ts';
import { proxyPrompt } from '../catalogue/prompts.ts';
import * as fields from '../contract/fields.ts';
import { names } from '../contract/names.ts';
import { ProxytuneError } from '../errors.ts';
import { keys } from '../keys.ts';
import { chooseInstance, sharing, trainingPlan } from '../plan/pricing.ts';
import type { TrainingJob } from '../plan/stage-plan.ts';
import { trainingMinutes } from '../plan/work.ts';
import { curationChannel, defined, type Parts } from './parts.ts';
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
    mirror: z
      .boolean()
      .describe(
        'Mirror the photos, each as likely as not, where the method trains on them. Default: only where it varies them; false for text and for sides that differ',
      ),
  })
  .partial()
  .describe('The student’s training');

export const learnHyperparameters = z.strictObject({
  stage: z.literal('learn'),
  ...trainingHyperparameters,
  caption: z
    .string()
    .min(1)
    .describe('Caption of every image without one of its own: the prompt that a proxy was synthesised from'),
  token_word: z
    .string()
    .min(1)
    .describe('The word that stands for the subject; must survive the caption cleaner'),
  caption_dropout: fields.share.describe('Share of steps trained without caption, for guidance'),
  proxies: fields.proxies
    .optional()
    .describe(
      'Number of proxies that must be there, with `curated` the most there may be; or of variations of the references. None with the references as they are',
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
  const { student, method, seed } = parts;
  const usual = parts.recipes.student;
  const recipe = tuned({ ...usual, learningRate: usual.learningRate * method.rateOfLora }, advanced);
  const on = instanceFor(parts, advanced.instanceType);
  const minutes =
    student.minutes.load +
    trainingMinutes(student, recipe, usual, {
      gpus: sharing(on, recipe.batchSize),
      allWeights: method.tuning === 'full',
    });
  const images = imagesOf(parts, advanced);
  return trainingPlan('learn', on, minutes, {
    spot: advanced.spot,
    hyperparameters: {
      stage: 'learn',
      ...trainingSettings(student, recipe, seed),
      caption: proxyPrompt(parts.named),
      token_word: parts.named.tokenWord,
      caption_dropout: recipe.captionDropout ?? USUAL_CAPTION_DROPOUT,
      ...(method.tuning !== 'lora' && { tuning: method.tuning }),
      ...images.hyperparameters,
    },
    channels: { [channels.base]: keys.model(student.id), ...images.channels },
  });
}

/** The images that the job trains on, as its hyperparameters and channels say it. */
function imagesOf(parts: Parts, advanced: z.infer<typeof learnAdvanced>) {
  const { context, method, segmenter, counts, curation } = parts;
  if (method.trainsOn !== 'proxies') {
    return {
      hyperparameters: defined({
        trains_on: method.trainsOn,
        proxies: counts.images,
        mirror: advanced.mirror,
      }),
      channels: { [channels.references]: keys.references(context.runId) },
    };
  }
  const masked = segmenter !== undefined;
  return {
    hyperparameters: {
      proxies: counts.proxies,
      ...(curation === null ? {} : { curated: true }),
      ...(masked && { background_weight: advanced.backgroundWeight ?? USUAL_BACKGROUND_WEIGHT }),
    },
    channels: {
      [channels.proxies]: keys.pictures(context.runId, 'synthesize'),
      ...curationChannel(parts),
      ...(masked && { [channels.proxyMasks]: keys.proxyMasks(context.runId) }),
    },
  };
}

/**
 * The instance of the training: for all weights the first of the model's whose GPU has the memory for them.
 * @throws RequestInvalid where none has, as the job could only run out of memory after it was paid for
 */
function instanceFor({ context, student, method }: Parts, wanted?: string): Instance {
  const needs = method.tuning === 'full' ? student.memory?.trainingAllWeights : undefined;
  const { instanceTypes } = context;
  const first = chooseInstance(student, 'training', wanted, instanceTypes);
  if (needs === undefined || first.gpuGiB >= needs) return first;
  const larger = student.instances.training.find(
    (type) => (instanceTypes ?? [type]).includes(type) && instance(type).gpuGiB >= needs,
  );
  if (wanted !== undefined || larger === undefined) throw tooLarge(student, method, needs, first);
  return instance(larger);
}

function tooLarge(student: Model, method: Method, needs: number, on: Instance): ProxytuneError {
  return new ProxytuneError('RequestInvalid', {
    what: `All weights of ${student.title} do not fit one GPU`,
    given: `method ${method.id} on ${on.type}, whose GPU has ${on.gpuGiB} GiB`,
    allowed: `a GPU with about ${needs} GiB`,
    remedy: 'choose a method that trains by LoRA, such as direct-lora, or a smaller student',
  });
}
