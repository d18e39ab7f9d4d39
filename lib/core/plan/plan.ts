/** The plan of a run: everything that will be done, where, for how long and for how much, before it is done. */
import { z } from 'zod';
import { METHODS, type Method, method } from '../catalogue/methods.ts';
import type { Model } from '../catalogue/models.ts';
import { curationPlan } from '../contract/curation.ts';
import * as fields from '../contract/fields.ts';
import { licence } from '../contract/licence.ts';
import { keys } from '../keys.ts';
import { hyperparameters } from '../stages/hyperparameters.ts';
import { trainsOn } from '../stages/tuning.ts';
import { eachModel, JOB_STAGES, type JobStage, OPTIONAL_STAGES } from '../words.ts';
import { jobImage } from './image.ts';
import { type GenerationPlan, generatesImages, generationPlan, trainingFields } from './stage-plan.ts';

const chosenModel = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    family: z.string(),
    standInFor: z.string().nullable().describe('The full-size model whose place this tiny one takes'),
    source: z.string(),
    licence,
    digest: z
      .string()
      .nullable()
      .default(null)
      .describe('Digest of its files when the run was planned; null where nothing was imported yet'),
  })
  .meta({ title: 'ChosenModel' });
export type ChosenModel = z.infer<typeof chosenModel>;

const prompt = z
  .strictObject({
    prompt: z.string().describe('As the models are asked'),
    plain: z.string().describe('Without the token word, as CLIP-T compares'),
  })
  .meta({ title: 'PlannedPrompt' });

const trainingPlan = z.strictObject({ ...trainingFields, hyperparameters }).meta({ title: 'TrainingPlan' });

export const stagePlan = z
  .discriminatedUnion('kind', [trainingPlan, generationPlan])
  .meta({ title: 'StagePlan' });
export type StagePlan = z.infer<typeof stagePlan>;
export type TrainingPlan = z.infer<typeof trainingPlan>;

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
  method: z
    .strictObject({
      id: z.enum(METHODS),
      title: z.string(),
      trainsOn,
      source: z.string(),
    })
    .meta({ title: 'PlannedMethod' })
    .default(() => methodOf(method('proxy')))
    .describe('How the student is tuned; plans from before there were several are of proxy'),
  unused: z
    .array(z.string())
    .default([])
    .describe('Fields of the request that have no effect with this method'),
  models: z.strictObject({
    teacher: chosenModel.optional().describe('Missing with a method that trains none'),
    student: chosenModel,
    clip: chosenModel,
    dino: chosenModel,
    segmenter: chosenModel
      .optional()
      .describe(
        'Finds the subject in images; missing where nothing is masked automatically, nor measured by MaSC',
      ),
    siglip: chosenModel.optional().describe('The encoder of MaSC; missing where it is not measured'),
    dreamsim: chosenModel.optional().describe('The encoders of DreamSim; missing where it is not measured'),
  }),
  world: z
    .strictObject({
      name: z.string(),
      title: z.string(),
      note: z.string().nullable().describe('What a reader of the report should know of this domain'),
    })
    .describe('What the pictures are of'),
  prompts: z.strictObject({
    proxy: z.string().describe('Prompt of the proxies without a context'),
    inContext: z.array(prompt).describe('Prompts of the others, in turn; empty when there are none'),
    evaluation: z.array(prompt),
    evaluationList: z
      .strictObject({
        name: z.string(),
        title: z.string(),
        source: z.string(),
        chosenBy: z.enum(['request', 'category', 'domain']),
      })
      .nullable()
      .default(null)
      .describe(
        'The list that the evaluation prompts are from; null in plans from before there were several',
      ),
  }),
  samples: z.strictObject({
    picturesPerPrompt: fields.picturesPerPrompt,
    pictures: fields.count.describe('Of one variant'),
  }),
  proxies: fields.proxies.nullable().describe('null with a method that has none'),
  proxiesInContext: z.int().min(0).describe('Those whose prompt names a context, spread evenly over all'),
  curation: curationPlan.nullable().default(null).describe('null: every proxy is drawn and kept'),
  stages: z
    .array(stagePlan)
    .min(JOB_STAGES.length - OPTIONAL_STAGES.length)
    .max(JOB_STAGES.length),
  estimate: z.strictObject({ minutes: fields.minutes, usd: fields.usd, pricesAsOf: z.string() }),
  image: jobImage
    .nullable()
    .default(null)
    .describe('The container image of all jobs; null for a plan that is not carried out'),
  versions: z.record(z.string(), z.string()),
});
export type Plan = z.infer<typeof planSchema>;

export function methodOf({ id, title, trainsOn, source }: Method): Plan['method'] {
  return { id, title, trainsOn, source };
}

/** The model of a role that trains. */
export function modelOfRole({ models, runId }: Plan, role: 'teacher' | 'student'): ChosenModel {
  const found = models[role];
  // Only stages that a run has ask for it.
  if (found === undefined) throw new Error(`the plan of ${runId} has no ${role}`);
  return found;
}

/** The plan of one stage. */
export function stageOf(plan: Plan, stage: JobStage): StagePlan {
  const found = plan.stages.find((entry) => entry.stage === stage);
  // The planner's order makes this impossible but for the optional stages, which only their own runs ask for.
  if (found === undefined) throw new Error(`the plan of ${plan.runId} lacks stage ${stage}`);
  return found;
}

/** The plan of a stage that draws pictures. */
export function transformOf(plan: Plan, stage: JobStage): GenerationPlan {
  const found = stageOf(plan, stage);
  if (!generatesImages(found)) throw new Error(`stage ${stage} of ${plan.runId} draws no pictures`);
  return found;
}

/** The base models that the job of a stage reads. */
export function modelsOfStage(plan: Plan, stage: JobStage): ChosenModel[] {
  const { models } = plan;
  const how = stageOf(plan, stage);
  if (generatesImages(how)) return [modelOfRole(plan, how.role)];
  const prefixes = Object.values(how.channels);
  return eachModel(models).filter(({ id }) => prefixes.includes(keys.model(id)));
}

export function chosen(row: Model, digest: string | null = null): ChosenModel {
  const { id, title, family, standInFor, source, licence: terms } = row;
  return { id, title, family, standInFor, source, licence: terms, digest };
}
