/** The words of a run, used everywhere: stages, roles, kinds. */

/** Every stage of a run, in the order of the pipeline. */
export const STAGES = [
  'plan',
  'inspect',
  'teach',
  'synthesize',
  'curate',
  'learn',
  'sample-teacher',
  'sample-student',
  'evaluate',
  'publish',
] as const;
export type Stage = (typeof STAGES)[number];

/** The stages that are SageMaker jobs; the others are lambdas. */
export const JOB_STAGES = [
  'teach',
  'synthesize',
  'curate',
  'learn',
  'sample-teacher',
  'sample-student',
  'evaluate',
] as const;
export type JobStage = (typeof JOB_STAGES)[number];

/** The job stages that only some runs have: what a method, or its request, has no use for is not planned. */
export const OPTIONAL_STAGES = [
  'teach',
  'synthesize',
  'curate',
  'sample-teacher',
] as const satisfies readonly JobStage[];

/** The job stages of a run with every field at its default. */
export const STANDARD_STAGES: readonly JobStage[] = JOB_STAGES.filter((stage) => stage !== 'curate');

export const TRAINING_STAGES = ['teach', 'curate', 'learn', 'evaluate'] as const;
export type TrainingStage = (typeof TRAINING_STAGES)[number];

/** The stages that generate images; the plan says as which kind of job. */
export const TRANSFORM_STAGES = ['synthesize', 'sample-teacher', 'sample-student'] as const;
export type TransformStage = (typeof TRANSFORM_STAGES)[number];

/** Ways to generate the proxies: by a batch transform, or by a managed-spot training job that writes the same shards. */
export const SYNTHESES = ['transform', 'spot'] as const;
export type Synthesis = (typeof SYNTHESES)[number];

/** SageMaker's kind of job for each kind of planned stage. */
export const JOB_KINDS = { training: 'training', transform: 'transform', spot: 'training' } as const;
export type JobKind = (typeof JOB_KINDS)[keyof typeof JOB_KINDS];

/** The uses of a model. */
export const ROLES = ['teacher', 'student', 'clip', 'dino', 'segmenter', 'siglip', 'dreamsim'] as const;
export type Role = (typeof ROLES)[number];

/** Models that only some runs have: methods without a teacher, automatic masks, measuring by MaSC or DreamSim. */
type OptionalRole = 'teacher' | 'segmenter' | 'siglip' | 'dreamsim';

/** Something for each model of a run. */
export type OfModels<T> = Readonly<Record<Exclude<Role, OptionalRole>, T>> &
  Readonly<Partial<Record<OptionalRole, T | undefined>>>;

export function eachModel<T>(models: OfModels<T>): T[] {
  return Object.values<T | undefined>(models).filter((entry) => entry !== undefined);
}

/** Where the masks of a run come from: files next to the photos only, or a segmenter too. */
export const MASKINGS = ['given', 'auto'] as const;
export type Masking = (typeof MASKINGS)[number];

export function isJobStage(stage: string): stage is JobStage {
  return (JOB_STAGES as readonly string[]).includes(stage);
}

export function isOptionalStage(stage: string): boolean {
  return (OPTIONAL_STAGES as readonly string[]).includes(stage);
}

export function isTransformStage(stage: string): stage is TransformStage {
  return (TRANSFORM_STAGES as readonly string[]).includes(stage);
}
