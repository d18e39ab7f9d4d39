/**
 * `choice.json`: how the teacher developed while it was trained, and which of its checkpoints was selected. The
 * stage teach writes it next to the validation images; the report shows it.
 */
import { z } from 'zod';
import { pictureSeed } from './fields.ts';

const image = z.strictObject({
  prompt: z.string(),
  seed: pictureSeed,
  fidelity: z.number().describe('DINO similarity to the references, their mean'),
  file: z.string().describe('Relative to the folder of the file that holds this'),
});

const point = z.strictObject({
  step: z.int().min(0).describe('0 is the untuned model'),
  fidelity: z.number().describe('DINO similarity of the validation images to the references, their mean'),
  prompt: z
    .number()
    .nullable()
    .describe(
      'CLIP similarity of the validation images in a context to their prompt; null without such images',
    ),
  diversity: z
    .number()
    .nullable()
    .describe(
      '1 less the DINO similarity of the validation images of one prompt to each other; null of fewer than 2',
    ),
  guarded: z.boolean().describe('True where it keeps enough prompt following and diversity'),
  pictures: z.array(image).min(1),
});

export const choice = z.strictObject({
  version: z.literal(1),
  chosen: z.int().min(1).describe('The step of the selected checkpoint'),
  reason: z.string(),
  guards: z
    .strictObject({ prompt: z.number().nullable(), diversity: z.number().nullable() })
    .describe('The least that was demanded; null where there was nothing to demand it from'),
  points: z.array(point).min(1),
});
export type Choice = z.infer<typeof choice>;
