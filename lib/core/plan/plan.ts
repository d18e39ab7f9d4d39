/** The plan of a run: everything that will be done, where, for how long and for how much, before it is done. */
import { z } from 'zod';
import type { Model } from '../catalogue/models.ts';
import { curationPlan } from '../contract/curation.ts';
import * as fields from '../contract/fields.ts';
import { hyperparameters } from '../contract/hyperparameters.ts';
import { licence } from '../contract/licence.ts';
import { sampler } from '../contract/pictures.ts';
import { keys } from '../keys.ts';
import {
  JOB_STAGES,
  type JobStage,
  OPTIONAL_STAGES,
  SYNTHESES,
  TRAINING_STAGES,
  TRANSFORM_STAGES,
} from '../words.ts';

const chosenModel = z.strictObject({
  id: z.string(),
  title: z.string(),
  family: z.string(),
  standInFor: z.string().nullable().describe('The full-size model whose place this tiny one takes'),
  source: z.string(),
  licence,
  content: z
    .string()
    .nullable()
    .default(null)
    .describe('Of its files when the run was planned; null where nobody had looked, as in plans of before'),
});
export type ChosenModel = z.infer<typeof chosenModel>;

const prompt = z.strictObject({
  prompt: z.string().describe('As the models are asked'),
  plain: z.string().describe('Without the token word, as CLIP-T compares'),
});

const stageCommon = {
  instanceType: z.string(),
  minutes: fields.minutes.describe('Expected billable minutes'),
  usd: fields.usd.describe('Expected price of these minutes; on spot with the saving that is usual'),
  maxRuntimeSeconds: z.int().min(60).describe('A training stops then; a transform is stopped then'),
};

const trainingPlan = z.strictObject({
  ...stageCommon,
  stage: z.enum(TRAINING_STAGES),
  kind: z.literal('training'),
  spot: z.boolean(),
  hyperparameters,
  channels: z.record(z.string(), z.string()).describe('Channel name to key prefix'),
  optionalChannels: z
    .record(z.string(), z.string())
    .optional()
    .describe('Those that the job is given only when there is something below the prefix'),
  compressed: z.boolean().describe('model.tar.gz, or the files as they are'),
});

const price = z.strictObject({ instanceType: z.string(), minutes: fields.minutes, usd: fields.usd });

const transformPlan = z.strictObject({
  ...stageCommon,
  stage: z.enum(TRANSFORM_STAGES),
  kind: z
    .enum(SYNTHESES)
    .describe('A batch transform, or a managed-spot training job that writes the same shards'),
  instances: fields.instances
    .default(1)
    .describe('They share the chunks; minutes are those of each. Plans of before have one'),
  either: z
    .strictObject({ transform: price.nullable(), spot: price.nullable() })
    .optional()
    .describe('What the stage would take either way; null where the instance type is not offered for it'),
  adapterOf: z.enum(['teach', 'learn']).describe('The stage whose adapter draws'),
  role: z.enum(['teacher', 'student']),
  size: fields.side,
  batchSize: fields.generationBatch,
  sampler,
  chunks: z.int().min(1),
  pictures: fields.count,
  picturesPerChunk: fields.picturesPerChunk,
});

export const stagePlan = z.discriminatedUnion('kind', [trainingPlan, transformPlan]);
export type StagePlan = z.infer<typeof stagePlan>;
export type TrainingPlan = z.infer<typeof trainingPlan>;
export type TransformPlan = z.infer<typeof transformPlan>;

export const planSchema = z.strictObject({
  version: z.literal(1),
  runId: z.string(),
  subject: z.string(),
  bucket: z.string(),
  category: z.string(),
  tokenWord: z.string(),
  preset: z.string(),
  seed: fields.seed,
  request: z.record(z.string(), z.unknown()).describe('The request with every default filled in'),
  models: z.strictObject({
    teacher: chosenModel,
    student: chosenModel,
    clip: chosenModel,
    dino: chosenModel,
  }),
  world: z
    .strictObject({
      name: z.string(),
      title: z.string(),
      note: z.string().nullable().describe('What a reader of the report should know of this world'),
    })
    .describe('What the pictures are of'),
  prompts: z.strictObject({
    proxy: z.string().describe('Prompt of the proxies without a context'),
    inContext: z.array(prompt).describe('Prompts of the others, in turn; empty when there are none'),
    evaluation: z.array(prompt),
  }),
  samples: z.strictObject({
    picturesPerPrompt: fields.picturesPerPrompt,
    pictures: fields.count.describe('Of one variant'),
  }),
  proxies: fields.proxies,
  proxiesInContext: z.int().min(0).describe('Those whose prompt names a context, spread evenly over all'),
  curation: curationPlan.nullable().default(null).describe('null: every proxy is drawn and kept'),
  stages: z
    .array(stagePlan)
    .min(JOB_STAGES.length - OPTIONAL_STAGES.length)
    .max(JOB_STAGES.length),
  estimate: z.strictObject({ minutes: fields.minutes, usd: fields.usd, pricesAsOf: z.string() }),
  versions: z.record(z.string(), z.string()),
});
export type Plan = z.infer<typeof planSchema>;

/** The plan of one stage. */
export function stageOf(plan: Plan, stage: JobStage): StagePlan {
  const found = plan.stages.find((entry) => entry.stage === stage);
  // The planner's order makes this impossible but for the optional stages, which only their own runs ask for.
  if (found === undefined) throw new Error(`the plan of ${plan.runId} lacks stage ${stage}`);
  return found;
}

/** Whether a stage draws pictures, as whichever kind of job. */
export function draws(stage: StagePlan): stage is TransformPlan {
  return stage.kind !== 'training';
}

/** The plan of a stage that draws pictures. */
export function transformOf(plan: Plan, stage: JobStage): TransformPlan {
  const found = stageOf(plan, stage);
  if (!draws(found)) throw new Error(`stage ${stage} of ${plan.runId} draws no pictures`);
  return found;
}

/** The base models that the job of a stage reads. */
export function modelsOfStage(plan: Plan, stage: JobStage): ChosenModel[] {
  const { models } = plan;
  const how = stageOf(plan, stage);
  if (draws(how)) return [models[how.role]];
  const prefixes = Object.values(how.channels);
  return Object.values(models).filter(({ id }) => prefixes.includes(keys.model(id)));
}

export function chosen(row: Model, content: string | null = null): ChosenModel {
  const { id, title, family, standInFor, source, licence: terms } = row;
  return { id, title, family, standInFor, source, licence: terms, content };
}
