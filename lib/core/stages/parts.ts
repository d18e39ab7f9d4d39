/** The input of every stage's plan: a request with its models, recipes and counts looked up, once. */
import { z } from 'zod';
import type { EvaluationList } from '../catalogue/evaluation.ts';
import type { Method } from '../catalogue/methods.ts';
import type { Model } from '../catalogue/models.ts';
import { classPrompt, type Named } from '../catalogue/prompts.ts';
import type { Recipe } from '../catalogue/recipes.ts';
import type { CurationPlan } from '../contract/curation.ts';
import * as fields from '../contract/fields.ts';
import { names } from '../contract/names.ts';
import { keys } from '../keys.ts';
import type { JobImage } from '../plan/image.ts';

const { channels } = names;

export interface PlanContext {
  readonly runId: string;
  readonly subject: string;
  readonly bucket: string;
  /** `tiny`: tiny models of the same classes stand in for the full-size ones, as on a machine without weights. */
  readonly scale: 'full' | 'tiny';
  /** Version of this product, for the records. */
  readonly version: string;
  /** The only instance types that may be planned. @default - all of the catalogue */
  readonly instanceTypes?: readonly string[] | undefined;
  /**
   * Digests of the imported models' files, by id, as `digestOf` computes them.
   * @default - not known, as before anything is imported; runs then share nothing that such a model has generated
   */
  readonly digests?: Readonly<Record<string, string>>;
  /**
   * Ids of models that would only add a measure and that the bucket does not hold.
   * @default - none, so that a plan charges for every measure
   */
  readonly absent?: readonly string[];
  /** The container image of the jobs. @default - none, as for a plan that is not carried out */
  readonly image?: JobImage;
}

/** Facts that the stages have in common. Each is also given its own fields of `advanced`. */
export interface Parts {
  readonly context: PlanContext;
  readonly seed: number;
  readonly method: Method;
  /** undefined where the method trains none. */
  readonly teacher?: Model | undefined;
  readonly student: Model;
  readonly clip: Model;
  readonly dino: Model;
  /** Finds the subject in photos and proxies; undefined where the run asks for no automatic masks. */
  readonly segmenter?: Model | undefined;
  /** Measure the subject's region and the rest by MaSC; undefined where the domain has no such encoder. */
  readonly masc?: { readonly siglip: Model; readonly segmenter: Model } | undefined;
  /** The encoders of DreamSim; undefined where it is not measured. */
  readonly dreamsim?: Model | undefined;
  /** Of the request's preset, as the catalogue has them; the teacher's at no smaller size than the student's. */
  readonly recipes: { readonly teacher?: Recipe | undefined; readonly student: Recipe };
  readonly named: Named;
  readonly evaluation: EvaluationList;
  /** null: every proxy is generated and kept. */
  readonly curation: CurationPlan | null;
  readonly counts: {
    /** 0 where the method has none. */
    readonly proxies: number;
    /** Images that the student trains on, where the request chooses their number: proxies, or variations. */
    readonly images?: number | undefined;
    readonly proxiesPerChunk: number;
    /** Those of the proxies whose prompt names a context. */
    readonly proxiesInContext: number;
    readonly prompts: number;
    readonly picturesPerPrompt: number;
  };
}

/** The same for a method that trains a teacher. */
export type PartsWithTeacher = Parts & {
  readonly teacher: Model;
  readonly recipes: { readonly teacher: Recipe };
};

export function hasTeacher(parts: Parts): parts is PartsWithTeacher {
  return parts.teacher !== undefined && parts.recipes.teacher !== undefined;
}

/**
 * The field of a request that moves a stage to another instance type.
 *
 * @param jobs - that SageMaker must offer the type for
 */
export const instanceType = (jobs: string) =>
  z
    .string()
    .describe(
      `Instance type of the catalogue that SageMaker offers for ${jobs}, instead of the first that the model’s row names`,
    );

/** The classifier-free guidance of a stage that generates images, in a request. */
export const guidance = fields.guidance.describe(
  'Classifier-free guidance; 1 is none, and above 30 images are oversaturated',
);

/** Hyperparameters of every job of a run. */
export const jobFields = {
  family: z.string().describe('Model family: which code of the role runs'),
  model: z.string().describe('Catalogue id of the base model, for records'),
  seed: fields.seed.describe('First random state of the job'),
};

/** The hyperparameter and the channel of a job that finds masks by itself. */
export function segmenting({ segmenter, named }: Pick<Parts, 'segmenter' | 'named'>) {
  return segmenter === undefined
    ? { hyperparameters: {}, channels: {} }
    : {
        hyperparameters: { mask_prompt: classPrompt(named) },
        channels: { [channels.segmenter]: keys.model(segmenter.id) },
      };
}

export const maskPrompt = z
  .string()
  .min(1)
  .optional()
  .describe('What the segmenter looks for; without it nothing is masked automatically');

/** The channel that says which proxies the student learns from, where there is a curation. */
export function curationChannel({ context, curation }: Parts): Record<string, string> {
  return curation === null ? {} : { [channels.curation]: keys.curation(context.runId) };
}

/** The entries that are not undefined. */
export function defined<T extends object>(entries: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as never;
}
