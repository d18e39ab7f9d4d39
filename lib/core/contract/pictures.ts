/**
 * Input and output of a batch transform.
 * In: one chunk object requests a few pictures. Out: one tar shard per chunk (WebDataset layout), holding for
 * every picture `<index, six digits>.png` and `<index, six digits>.json`.
 */
import { z } from 'zod';
import { TRANSFORM_STAGES } from '../words.ts';
import * as fields from './fields.ts';

export const pictureRequest = z
  .strictObject({
    index: z.int().min(0).describe('Number of the picture within its stage; unique over all chunks'),
    prompt: z.string().min(1),
    seed: fields.pictureSeed.describe('The picture depends on this seed, not on its batch'),
  })
  .meta({ title: 'PictureRequest' });
export type PictureRequest = z.infer<typeof pictureRequest>;

/** `base`: the untuned model, the floor of the report. `tuned`: with the adapter. */
export const variant = z.enum(['base', 'tuned']).meta({ title: 'Variant' });
export type Variant = z.infer<typeof variant>;

const diffusionSampler = z.strictObject({
  kind: z.literal('diffusion'),
  steps: fields.denoisingSteps.describe('Denoising steps'),
  guidance: fields.guidance.describe('1 is none'),
});

const autoregressiveSampler = z.strictObject({
  kind: z.literal('autoregressive'),
  guidance: fields.guidance.describe('1 is none'),
  temperature: z.number().gt(0).max(5),
  top_k: z.int().min(0).describe('0 keeps every token'),
  top_p: z.number().gt(0).max(1),
});

export const sampler = z
  .discriminatedUnion('kind', [diffusionSampler, autoregressiveSampler])
  .meta({ title: 'Sampler' });

const stage = z.enum(TRANSFORM_STAGES).meta({ title: 'TransformStage' });

export const chunk = z.strictObject({
  version: z.literal(1),
  stage,
  chunk: z.int().min(0),
  variant,
  size: fields.side.describe('Side of the square picture in pixels'),
  batch_size: fields.generationBatch.describe('Pictures drawn at once; changes speed, not pictures'),
  sampler,
  stage_pictures: z
    .int()
    .min(1)
    .optional()
    .describe('Number of images of the whole stage, which decides whether compiling is worth its time'),
  pictures: z.array(pictureRequest).min(1),
});
export type Chunk = z.infer<typeof chunk>;

/** The JSON next to every PNG of a shard. */
export const pictureRecord = z.strictObject({
  index: z.int().min(0),
  prompt: z.string(),
  seed: fields.pictureSeed,
  variant,
  stage,
  size: fields.side,
  model: z.string().describe('Catalogue id of the base model'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('Of the PNG file'),
});
export type PictureRecord = z.infer<typeof pictureRecord>;
