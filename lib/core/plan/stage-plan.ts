/** The part of a plan about any job: where, for how long and for how much; and all of those that generate images. */
import { z } from 'zod';
import * as fields from '../contract/fields.ts';
import { sampler } from '../contract/pictures.ts';
import { SYNTHESES, TRAINING_STAGES, TRANSFORM_STAGES } from '../words.ts';

const common = {
  instanceType: z.string(),
  minutes: fields.minutes.describe('Expected billable minutes'),
  usd: fields.usd.describe('Expected price of these minutes; on spot with the saving that is usual'),
  maxRuntimeSeconds: z.int().min(60).describe('A training stops then; a transform is stopped then'),
};

/** Of a training job, all but its hyperparameters: those differ from stage to stage. */
export const trainingFields = {
  ...common,
  stage: z.enum(TRAINING_STAGES),
  kind: z.literal('training'),
  spot: z.boolean(),
  channels: z.record(z.string(), z.string()).describe('Channel name to key prefix'),
  optionalChannels: z
    .record(z.string(), z.string())
    .optional()
    .describe('Those that the job is given only when there is something below the prefix'),
  compressed: z.boolean().describe('model.tar.gz, or the files as they are'),
};
const training = z.strictObject(trainingFields);
/** A training job with the hyperparameters of its stage. */
export type TrainingJob<Hyperparameters> = z.infer<typeof training> & {
  readonly hyperparameters: Hyperparameters;
};

const price = z
  .strictObject({ instanceType: z.string(), minutes: fields.minutes, usd: fields.usd })
  .meta({ title: 'StagePrice' });

export const generationPlan = z
  .strictObject({
    ...common,
    stage: z.enum(TRANSFORM_STAGES),
    kind: z
      .enum(SYNTHESES)
      .describe('A batch transform, or a managed-spot training job that writes the same shards'),
    instances: fields.instances.default(1).describe('They share the chunks; minutes are those of each'),
    alternatives: z
      .strictObject({ transform: price.nullable(), spot: price.nullable() })
      .optional()
      .describe(
        'Time and price of the stage as each kind of job; null where the instance type is not offered for it',
      ),
    adapterOf: z.enum(['teach', 'learn']).describe('The stage whose adapter is used'),
    role: z.enum(['teacher', 'student']),
    size: fields.side,
    batchSize: fields.generationBatch,
    sampler,
    chunks: fields.count,
    pictures: fields.count,
    picturesPerChunk: fields.picturesPerChunk,
  })
  .meta({ title: 'GenerationPlan' });
/** A stage that generates images, as whichever kind of job. */
export type GenerationPlan = z.infer<typeof generationPlan>;

export function generatesImages(
  stage: { readonly kind: 'training' } | GenerationPlan,
): stage is GenerationPlan {
  return stage.kind !== 'training';
}
