/**
 * What a training job is told. SageMaker carries hyperparameters as strings only, at most 256 characters each;
 * the container parses every one by this schema and refuses what does not fit (`HyperparameterInvalid`).
 */
import { z } from 'zod';
import * as fields from './fields.ts';

const common = {
  family: z.string().describe('Model family: which code of the role runs'),
  model: z.string().describe('Catalogue id of the base model, for records'),
  seed: fields.seed.describe('First random state of the job'),
};

const training = {
  rank: fields.rank.describe('LoRA rank'),
  alpha: fields.alpha.describe('LoRA alpha; the adapter is scaled by alpha / rank'),
  learning_rate: fields.learningRate.describe('AdamW learning rate'),
  steps: fields.steps.describe('Optimizer steps'),
  batch_size: fields.batchSize.describe('Pictures per optimizer step'),
  size: fields.side.describe('Side of the square training picture in pixels'),
  checkpoint_every: fields.checkpointEvery.describe('Steps between two checkpoints'),
};

const prior = z
  .strictObject({
    prompt: z.string().min(1).describe('Of the class, without the token word'),
    pictures: z.int().min(1).max(1000).describe('Drawn by the untuned model, once'),
    weight: z.number().gt(0).max(10).describe('Of their loss beside that of the subject'),
    steps: fields.denoisingSteps.describe('Denoising steps'),
    guidance: fields.guidance,
  })
  .describe('Pictures of the class that are trained on too, so that it is not forgotten; JSON in the string');

const samples = z
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
  .describe('What is drawn at every checkpoint to choose one of them; without it the last is handed on');

const teachHyperparameters = z.strictObject({
  stage: z.literal('teach'),
  ...common,
  ...training,
  token_word: z.string().min(1).describe('The word that stands for the subject; must survive the tokenizers'),
  prompts: z.array(z.string().min(1)).min(1).describe('Instance prompts, used in turn; JSON in the string'),
  adapted: fields.adapted.optional(),
  prior: prior.optional(),
  bits: z
    .union([z.literal(8), z.literal(4)])
    .optional()
    .describe('Of a weight of the frozen base; without it those of its type'),
  flips: z.boolean().optional().describe('Whether training pictures are mirrored, each as likely as not'),
  samples: samples.optional(),
  sample_prompts: z
    .array(z.string().includes('{s}'))
    .min(1)
    .max(9)
    .optional()
    .describe('With samples: of the subject alone, then in a context each; JSON in the string'),
  licence: z.string().max(256).optional().describe("The base model's, written into the adapter's files"),
  snr_gamma: fields.snrGamma
    .optional()
    .describe('Weigh noise levels by Min-SNR with this gamma; DDPM teachers only'),
});

const synthesizeHyperparameters = z.strictObject({
  stage: z.literal('synthesize'),
  ...common,
  folder: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .describe('Where this attempt’s shards go; what lies in those of others is not drawn again'),
  chunks: z.int().min(1).describe('How many chunks are wanted so far, from the first on'),
});

const learnHyperparameters = z.strictObject({
  stage: z.literal('learn'),
  ...common,
  ...training,
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
});

const curateHyperparameters = z.strictObject({
  stage: z.literal('curate'),
  ...common,
  round: z.int().min(1).describe('Which round of drawing is over; counts from 1'),
});

const evaluateHyperparameters = z.strictObject({
  stage: z.literal('evaluate'),
  ...common,
});

const importHyperparameters = z.strictObject({
  stage: z.literal('import-model'),
  model: z.string().describe('Catalogue id of the model that is brought in, for the log'),
});

const planned = [
  teachHyperparameters,
  synthesizeHyperparameters,
  curateHyperparameters,
  learnHyperparameters,
  evaluateHyperparameters,
] as const;

/** What a training job of any kind may be told, the import of a base model included. */
export const jobHyperparameters = z.discriminatedUnion('stage', [...planned, importHyperparameters]);

export const hyperparameters = z.discriminatedUnion('stage', planned);
export type Hyperparameters = z.infer<typeof hyperparameters>;

/** The strings SageMaker wants: numbers in decimal, lists as JSON. */
export function toStrings(parameters: Hyperparameters): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}
