/** The stage teach: the teacher learns the photos. Its fields of a request, its hyperparameters, its plan. */
import { z } from 'zod';
import { type Model, modelsOf } from '../../catalogue/models.ts';
import { instancePrompts } from '../../catalogue/prompts.ts';
import type { Recipe } from '../../catalogue/recipes.ts';
import * as fields from '../../contract/fields.ts';
import { names } from '../../contract/names.ts';
import { ProxytuneError } from '../../errors.ts';
import { keys } from '../../keys.ts';
import { PHOTO_LIMITS } from '../../photos/limits.ts';
import { chooseInstance, sharing, trainingPlan } from '../../plan/pricing.ts';
import type { TrainingJob } from '../../plan/stage-plan.ts';
import { encodingMinutes, minutesPerPicture, trainingMinutes } from '../../plan/work.ts';
import { defined, maskPrompt, type PartsWithTeacher, segmenting } from '../parts.ts';
import { trainingAdvanced, trainingHyperparameters, trainingSettings, tuned } from '../training.ts';
import { classImages, classImagesHyperparameters, classImagesOf, sharedClass } from './class-images.ts';
import { trainingFit } from './quantized.ts';
import { validationHyperparameters, validationMinutes, validationOf } from './validation.ts';

const { channels } = names;

export const teachAdvanced = z
  .strictObject({
    ...trainingAdvanced,
    priorPictures: classImages.describe(
      'Class images: images of the category that the untuned teacher generates once, for all runs that want the same, and trains on along with the photos, so that it does not forget the category. DreamBooth uses them for living beings; a step takes twice as long. Default: none',
    ),
    snrGamma: fields.snrGamma.describe(
      'Min-SNR (arXiv 2303.09556): a noise level counts by at most this ratio of signal to noise; 5 in its paper, above 100 it changes nothing. Only for teachers that predict noise; those trained by rectified flow refuse it. Default: all levels count alike',
    ),
    flips: z
      .boolean()
      .describe(
        'Mirror every second training image, which gives few photos of a symmetrical subject more to teach, but falsifies writing and whatever differs between left and right. Default: false',
      ),
    samples: z
      .boolean()
      .describe(
        'Validation: generate a few images at every checkpoint, and select the checkpoint most like the photos that still follows prompts and varies; false saves their minutes and takes the last checkpoint. Default: true',
      ),
  })
  .partial()
  .describe('The teacher’s training');
type TeachAdvanced = z.infer<typeof teachAdvanced>;

export const teachHyperparameters = z.strictObject({
  stage: z.literal('teach'),
  ...trainingHyperparameters,
  token_word: z.string().min(1).describe('The word that stands for the subject; must survive the tokenizers'),
  prompts: z.array(z.string().min(1)).min(1).describe('Instance prompts, used in turn; JSON in the string'),
  adapted: fields.adapted.optional(),
  class_images: classImagesHyperparameters.optional(),
  bits: z
    .union([z.literal(8), z.literal(4)])
    .optional()
    .describe('Of a weight of the frozen base; without it those of its type'),
  flips: z.boolean().optional().describe('Whether training pictures are mirrored, each as likely as not'),
  mask_prompt: maskPrompt,
  ...validationHyperparameters,
  licence: z.string().max(256).optional().describe("The base model's, written into the adapter's files"),
  snr_gamma: fields.snrGamma
    .optional()
    .describe('Weigh noise levels by Min-SNR with this gamma; DDPM teachers only'),
});

/** @throws RequestInvalid */
export function planTeach(
  parts: PartsWithTeacher,
  advanced: TeachAdvanced = {},
): TrainingJob<z.infer<typeof teachHyperparameters>> {
  const { context, teacher, named, clip, dino, segmenter, seed } = parts;
  const recipe = recipeFor(parts.recipes.teacher, advanced);
  const validation = validationOf(recipe, named);
  const preserved = classImagesOf(recipe, named, advanced.priorPictures);
  const on = chooseInstance(teacher, 'training', advanced.instanceType, context.instanceTypes);
  const masks = segmenting(parts);
  // Class images and those of the checkpoints are generated at the size of the training, one at a time by one GPU.
  const perPicture = minutesPerPicture(teacher, recipe);
  const minutes =
    teacher.minutes.load +
    trainingMinutes(teacher, recipe, parts.recipes.teacher, {
      classImages: preserved !== undefined,
      masked: segmenter !== undefined,
      gpus: sharing(on, recipe.batchSize),
    }) +
    (preserved?.pictures ?? 0) * perPicture +
    encodingMinutes(segmenter === undefined ? [] : [segmenter], PHOTO_LIMITS.maxPhotos) +
    (validation === undefined ? 0 : validationMinutes(parts, recipe, validation, perPicture));
  return trainingPlan('teach', on, minutes, {
    spot: advanced.spot,
    hyperparameters: {
      stage: 'teach',
      ...trainingSettings(teacher, recipe, seed),
      token_word: named.tokenWord,
      prompts: instancePrompts(named),
      licence: teacher.licence.name,
      ...defined({
        adapted: recipe.adapted,
        class_images: preserved,
        snr_gamma: snrGammaFor(teacher, recipe, advanced.snrGamma),
        flips: advanced.flips,
        bits: trainingFit(teacher, on)?.bits,
      }),
      ...masks.hyperparameters,
      ...validation,
    },
    channels: {
      [channels.base]: keys.model(teacher.id),
      [channels.references]: keys.references(context.runId),
      ...(validation && { [channels.clip]: keys.model(clip.id), [channels.dino]: keys.model(dino.id) }),
      ...masks.channels,
    },
    ...(preserved && sharedClass(context, { ...preserved, model: teacher.id, size: recipe.size })),
  });
}

/** The teacher's recipe as the request wants it. */
function recipeFor(recipe: Recipe, { samples = true, ...override }: TeachAdvanced): Recipe {
  const wanted = tuned(recipe, override);
  return samples ? wanted : { ...wanted, validation: undefined };
}

/**
 * Min-SNR (arXiv 2303.09556): the gamma of the request, else of the recipe.
 * @throws RequestInvalid when the request names one for a teacher that it means nothing for
 */
function snrGammaFor(teacher: Model, recipe: Recipe, requested: number | undefined): number | undefined {
  if (requested === undefined || teacher.objective === 'noise') return requested ?? recipe.snrGamma;
  throw new ProxytuneError('RequestInvalid', {
    what: `Min-SNR means nothing for ${teacher.title}: it is trained by rectified flow, whose levels have no such ratio`,
    given: `advanced.teach.snrGamma ${requested}`,
    allowed: modelsOf('teacher')
      .filter((row) => row.objective === 'noise' && row.standInFor === null)
      .map((row) => row.id)
      .join(', '),
    remedy: 'leave advanced.teach.snrGamma out, or choose one of these teachers',
  });
}
