/** Validation: images that the teacher generates at its checkpoints, so that the best of these is selected. */
import { z } from 'zod';
import { type Named, sampleTemplates, subjectWords } from '../../catalogue/prompts.ts';
import type { Recipe } from '../../catalogue/recipes.ts';
import * as fields from '../../contract/fields.ts';
import { PHOTO_LIMITS } from '../../photos/limits.ts';
import { encodingMinutes } from '../../plan/work.ts';
import type { Parts } from '../parts.ts';

/** Hyperparameters of the stage teach; both or neither are given. */
export const validationHyperparameters = {
  validation_images: z
    .strictObject({
      subject: z.string().min(1).describe('What {s} stands for: the token word and the category'),
      pictures: fields.validationPictures.describe('Of the first prompt; the others get one each'),
      steps: fields.denoisingSteps.describe('Denoising steps'),
      guidance: fields.guidance,
      keep_prompt: fields.share.describe(
        'Share of the untuned model’s prompt following that a checkpoint must keep',
      ),
      keep_diversity: fields.share.describe('Share of the photos’ own diversity that a checkpoint must keep'),
    })
    .meta({ title: 'Validation' })
    .describe('Images generated at every checkpoint to select one of them; without it the last is used')
    .optional(),
  validation_prompts: z
    .array(z.string().includes('{s}'))
    .min(1)
    .max(9)
    .optional()
    .describe('With validation_images: of the subject alone, then in a context each; JSON in the string'),
};

type Validation = NonNullable<ReturnType<typeof validationOf>>;

/** Images to generate at each checkpoint, and scores that a checkpoint must keep; undefined where the recipe has none. */
export function validationOf({ validation, sampler }: Recipe, named: Named) {
  if (validation === undefined || sampler.kind !== 'diffusion') return undefined;
  const { pictures, contexts, keepPrompt, keepDiversity } = validation;
  return {
    validation_images: {
      subject: subjectWords(named),
      pictures,
      steps: sampler.steps,
      guidance: sampler.guidance,
      keep_prompt: keepPrompt,
      keep_diversity: keepDiversity,
    },
    validation_prompts: sampleTemplates(named, contexts),
  };
}

/**
 * Minutes of generating the images of all checkpoints and of selecting one of these: DINO reads all of them and the
 * photos, CLIP those in a context.
 */
export function validationMinutes(
  { clip, dino }: Pick<Parts, 'clip' | 'dino'>,
  recipe: Recipe,
  { validation_images: images, validation_prompts: prompts }: Validation,
  perPicture: number,
): number {
  const checkpoints = checkpointsOf(recipe);
  const inContext = checkpoints * (prompts.length - 1);
  const generated = checkpoints * images.pictures + inContext;
  return (
    generated * perPicture +
    encodingMinutes([dino], generated + PHOTO_LIMITS.maxPhotos) +
    encodingMinutes([clip], inContext)
  );
}

/** At step 0, at every checkpoint, and at the last step. */
function checkpointsOf({ steps, checkpointEvery }: Recipe): number {
  return 1 + Math.ceil(steps / checkpointEvery);
}
