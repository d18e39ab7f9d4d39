/** Class images: the category without the subject, trained on too, so that it is not forgotten (DreamBooth's prior preservation). */
import { z } from 'zod';
import { classPrompt, type Named } from '../../catalogue/prompts.ts';
import type { Recipe } from '../../catalogue/recipes.ts';
import * as fields from '../../contract/fields.ts';
import { names } from '../../contract/names.ts';
import { type ClassImagesOf, keys } from '../../keys.ts';
import type { PlanContext } from '../parts.ts';

const { channels } = names;

/** Generated once, by the untuned teacher. */
export const classImages = z.int().min(1).max(1000);

export const classImagesHyperparameters = z
  .strictObject({
    prompt: z.string().min(1).describe('Of the class, without the token word'),
    pictures: classImages.describe('Drawn by the untuned model, once'),
    weight: z.number().gt(0).max(10).describe('Of their loss relative to that of the subject'),
    steps: fields.denoisingSteps.describe('Denoising steps'),
    guidance: fields.guidance,
  })
  .meta({ title: 'ClassImages' })
  .describe('Pictures of the class that are trained on too, so that it is not forgotten; JSON in the string');

/** With DreamBooth's weight of 1; generated as the proxies are. */
export function classImagesOf(recipe: Recipe, named: Named, pictures: number | undefined) {
  if (pictures === undefined || recipe.sampler.kind !== 'diffusion') return undefined;
  const { steps, guidance } = recipe.sampler;
  return { prompt: classPrompt(named), pictures, weight: 1, steps, guidance };
}

/** The channel of class images that other runs have generated, where this run's go too. */
export function sharedClass({ digests }: PlanContext, generated: Omit<ClassImagesOf, 'digest'>) {
  const digest = digests?.[generated.model];
  return digest === undefined
    ? {}
    : { optionalChannels: { [channels.classImages]: keys.classImages({ ...generated, digest }) } };
}
