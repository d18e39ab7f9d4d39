/**
 * Minutes of the large models from counted work: so many TFLOP at a share of a card's peak, and for sampled tokens what
 * they read at a share of its bandwidth. containers/dev/tools/count_work.py counts; shares and peaks have their sources
 * in gpus.json. They are the minutes of the standard recipes until a real card was measured.
 */
import { z } from 'zod';
import gpuData from './data/gpus.json' with { type: 'json' };
import workData from './data/work.json' with { type: 'json' };

/** Minutes of a training step and of an image. */
export interface Rates {
  readonly perStep: number;
  readonly perPicture: number;
  /** Where they come from. */
  readonly source: string;
}

const share = z.strictObject({ share: z.number().positive().max(1), source: z.string() });
const gpus = z.strictObject({
  unit: z.string(),
  shares: z.strictObject({ training: share, generation: share, float32: share, bandwidth: share }),
  gpus: z.record(
    z.string(),
    z.strictObject({
      bfloat16: z.number(),
      float32: z.number(),
      bandwidth: z.number(),
      shares: z.strictObject({ generation: share }).partial().optional().describe('Of this card alone'),
      source: z.string(),
    }),
  ),
});
const modelWork = z.strictObject({
  size: z.int().describe('Side of the images'),
  batch: z.int().describe('Images of a step'),
  steps: z.int().optional().describe('Denoising steps of an image'),
  step: z.number().describe('TFLOP of a training step'),
  image: z.strictObject({
    bfloat16: z.number().describe('TFLOP of an image'),
    float32: z.number().describe('TFLOP of an image, in float32'),
    tokens: z.int().optional(),
    images: z.int().optional().describe('Images that are sampled at once'),
    token: z
      .strictObject({ bfloat16: z.number(), gigabytes: z.number() })
      .optional()
      .describe('Of one token of all these images'),
  }),
});
const work = z.strictObject({
  unit: z.string(),
  source: z.string(),
  models: z.record(z.string(), modelWork),
});

const cards = gpus.parse(gpuData);
const counted = work.parse(workData).models;

/** The work of the standard recipes that was counted, by model. */
export const COUNTED: Readonly<Record<string, z.infer<typeof modelWork>>> = counted;

/** The minutes of a model's standard recipe on a card; undefined for a model whose work was not counted. */
export function countedRates(model: string, gpu: string): Rates | undefined {
  const of = counted[model];
  const card = cards.gpus[gpu];
  if (of === undefined || card === undefined) return undefined;
  const { training, float32, bandwidth } = cards.shares;
  const generation = card.shares?.generation ?? cards.shares.generation;
  const { image } = of;
  const seconds =
    image.bfloat16 / (card.bfloat16 * generation.share) + image.float32 / (card.float32 * float32.share);
  // A token takes as long as its products or as reading what they need, whichever is longer.
  const token = Math.max(
    (image.token?.bfloat16 ?? 0) / (card.bfloat16 * generation.share),
    (image.token?.gigabytes ?? 0) / (card.bandwidth * bandwidth.share),
  );
  const percent = (value: number) => `${Math.round(value * 100)} %`;
  const reads =
    image.token === undefined
      ? ''
      : `, ${image.token.gigabytes} GB a token at ${percent(bandwidth.share)} of its bandwidth`;
  return {
    perStep: minutes(of.step / (card.bfloat16 * training.share)),
    perPicture: minutes(seconds + (token * (image.tokens ?? 0)) / (image.images ?? 1)),
    source:
      `counted: ${of.step} TFLOP a step at ${percent(training.share)} of ${card.bfloat16} TFLOP/s of the ${gpu}, ` +
      (image.token === undefined
        ? `${image.bfloat16} TFLOP a picture at ${percent(generation.share)}`
        : `tokens for ${image.images} pictures at once`) +
      `${reads}; not measured`,
  };
}

/** Seconds in minutes, with three significant digits. */
function minutes(seconds: number): number {
  return Number((seconds / 60).toPrecision(3));
}
