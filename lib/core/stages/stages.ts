/** What each stage does with a request: its settings, channels and pictures. */
import { type Model, recipeOf } from '../catalogue/models.ts';
import { classPrompt, instancePrompts, type Named, proxyPrompt } from '../catalogue/prompts.ts';
import type { Recipe } from '../catalogue/recipes.ts';
import type { CurationPlan } from '../contract/curation.ts';
import { names } from '../contract/names.ts';
import { ProxytuneError } from '../errors.ts';
import { type ClassPictures, keys } from '../keys.ts';
import { PHOTO_LIMITS } from '../photos/limits.ts';
import type { StagePlan, TrainingPlan, TransformPlan } from '../plan/plan.ts';
import { chooseInstance, sharing, teacherDrawSize, trainingPlan, transformPlan } from '../plan/pricing.ts';
import { encodingMinutes, minutesPerPicture, trainingMinutes } from '../plan/work.ts';
import type { Request } from '../request/request.ts';
import { JOB_KINDS, type Synthesis } from '../words.ts';
import { snrGammaOf } from './min-snr.ts';
import { trainingFit } from './quantized.ts';
import { checkpointsOf, samplesOf } from './teach-validation.ts';

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
   * What was brought in of each model, by id, as `contentOf` gives it.
   * @default - not known, as before anything is brought in; runs then share nothing that such a model has drawn
   */
  readonly contents?: Readonly<Record<string, string>>;
}

/** A request with its models and counts looked up. */
export interface Parts {
  readonly request: Request;
  readonly context: PlanContext;
  readonly teacher: Model;
  readonly student: Model;
  readonly clip: Model;
  readonly dino: Model;
  readonly named: Named;
  /** null: every proxy is drawn and kept. */
  readonly curation: CurationPlan | null;
  readonly counts: {
    proxies: number;
    /** Those of the proxies whose prompt names a context. */
    proxiesInContext: number;
    prompts: number;
    picturesPerPrompt: number;
  };
}

/** Every job of a run, in the order of the road. */
export function planStages(parts: Parts): StagePlan[] {
  return [
    teach(parts),
    synthesize(parts),
    ...(parts.curation === null ? [] : [curate(parts, parts.curation)]),
    learn(parts),
    sample(parts, 'teacher'),
    sample(parts, 'student'),
    evaluate(parts),
  ];
}

/** The teacher's recipe as the request wants it. */
function teachRecipe({ request, teacher }: Parts): Recipe {
  const { samples = true, ...override } = request.advanced.teach ?? {};
  const recipe = tuned(recipeOf(teacher, request.preset), override);
  return samples ? recipe : { ...recipe, samples: undefined };
}

function teach(parts: Parts): TrainingPlan {
  const { request, context, teacher, named, clip, dino } = parts;
  const override = request.advanced.teach ?? {};
  const recipe = teachRecipe(parts);
  const samples = samplesOf(recipe, named);
  const { priorPictures } = override;
  const prior = priorOf(recipe, named, priorPictures);
  const on = chooseInstance(teacher, 'training', override.instanceType, context.instanceTypes);
  // Class images and those of the checkpoints are drawn at the size of the training, one at a time by one GPU.
  const perPicture = minutesPerPicture(teacher, recipe);
  return trainingPlan(
    'teach',
    on,
    teacher.minutes.load +
      trainingMinutes(teacher, recipe, recipeOf(teacher, request.preset), {
        classImages: prior !== undefined,
        gpus: sharing(on, recipe.batchSize),
      }) +
      (prior?.pictures ?? 0) * perPicture +
      (samples === undefined ? 0 : validationMinutes(parts, recipe, samples, perPicture)),
    {
      spot: override.spot,
      hyperparameters: {
        stage: 'teach',
        ...trained(teacher, recipe, request.seed),
        token_word: request.tokenWord,
        prompts: instancePrompts(named),
        licence: teacher.licence.name,
        ...defined({
          adapted: recipe.adapted,
          prior,
          snr_gamma: snrGammaOf(teacher, recipe, override.snrGamma),
          flips: override.flips,
          bits: trainingFit(teacher, on)?.bits,
        }),
        ...samples,
      },
      channels: {
        [channels.base]: keys.model(teacher.id),
        [channels.references]: keys.references(context.runId),
        ...(samples && { [channels.clip]: keys.model(clip.id), [channels.dino]: keys.model(dino.id) }),
      },
      ...(prior && sharedClass(context, { ...prior, model: teacher.id, size: recipe.size })),
    },
  );
}

/** Drawing the samples of all checkpoints, and choosing one of these: DINO reads all and the photos, CLIP those in a context. */
function validationMinutes(
  { clip, dino }: Parts,
  recipe: Recipe,
  { samples, sample_prompts }: NonNullable<ReturnType<typeof samplesOf>>,
  perPicture: number,
): number {
  const checkpoints = checkpointsOf(recipe);
  const inContext = checkpoints * (sample_prompts.length - 1);
  const drawn = checkpoints * samples.pictures + inContext;
  return (
    drawn * perPicture +
    encodingMinutes([dino], drawn + PHOTO_LIMITS.maxPhotos) +
    encodingMinutes([clip], inContext)
  );
}

/** DreamBooth's prior preservation, with its weight of 1; drawn as the proxies are. */
function priorOf(recipe: Recipe, named: Named, pictures: number | undefined) {
  if (pictures === undefined || recipe.sampler.kind !== 'diffusion') return undefined;
  const { steps, guidance } = recipe.sampler;
  return { prompt: classPrompt(named), pictures, weight: 1, steps, guidance };
}

/** Where the pictures of the class lie that other runs have drawn, and where those of this one go. */
function sharedClass({ contents }: PlanContext, drawn: Omit<ClassPictures, 'content'>) {
  const content = contents?.[drawn.model];
  return content === undefined
    ? {}
    : { optionalChannels: { [channels.classImages]: keys.classPictures({ ...drawn, content }) } };
}

/**
 * Measures the proxies with the encoders of the evaluation. Each round measures its own pictures only, but loads the
 * encoders anew.
 */
function curate({ request, context, clip, dino, counts }: Parts, { rounds }: CurationPlan): TrainingPlan {
  const run = context.runId;
  const pictures = counts.proxies + rounds.length * PHOTO_LIMITS.maxPhotos;
  const minutes = rounds.length * clip.minutes.load + encodingMinutes([clip, dino], pictures);
  const wanted = request.advanced.curate?.instanceType;
  return trainingPlan('curate', chooseInstance(clip, 'training', wanted, context.instanceTypes), minutes, {
    hyperparameters: { stage: 'curate', family: 'clip-dino', model: clip.id, seed: request.seed, round: 1 },
    channels: {
      [channels.plan]: keys.plan(run),
      [channels.references]: keys.references(run),
      [channels.proxies]: keys.pictures(run, 'synthesize'),
      [channels.clip]: keys.model(clip.id),
      [channels.dino]: keys.model(dino.id),
    },
    compressed: false,
  });
}

function learn({ request, context, student, named, counts, curation }: Parts): TrainingPlan {
  const override = request.advanced.learn ?? {};
  const recipe = tuned(recipeOf(student, request.preset), override);
  return trainingPlan(
    'learn',
    chooseInstance(student, 'training', override.instanceType, context.instanceTypes),
    // Whatever the instance has, one GPU trains the student.
    student.minutes.load + trainingMinutes(student, recipe, recipeOf(student, request.preset)),
    {
      spot: override.spot,
      hyperparameters: {
        stage: 'learn',
        ...trained(student, recipe, request.seed),
        caption: proxyPrompt(named),
        token_word: request.tokenWord,
        caption_dropout: recipe.captionDropout ?? 0.1,
        proxies: counts.proxies,
        ...(curation === null ? {} : { curated: true }),
      },
      channels: {
        [channels.base]: keys.model(student.id),
        [channels.proxies]: keys.pictures(context.runId, 'synthesize'),
        ...curated(context, curation),
      },
    },
  );
}

/** The channel that says which proxies the student learns from. */
function curated({ runId }: PlanContext, curation: CurationPlan | null): Record<string, string> {
  return curation === null ? {} : { [channels.curation]: keys.curation(runId) };
}

/** Teacher and student, each tuned and untuned. */
const SAMPLE_ROWS = 4;

/**
 * Scores the photos, so many of the proxies, and all samples. How many photos there are is known after the plan only; it
 * allows for the most. What the teacher drew at its checkpoints was measured by the stage teach.
 */
function evaluate(parts: Parts): TrainingPlan {
  const { request, context, clip, dino, counts, curation } = parts;
  const run = context.runId;
  const samples = SAMPLE_ROWS * counts.prompts * counts.picturesPerPrompt;
  const pictures = PHOTO_LIMITS.maxPhotos + Math.min(counts.proxies, names.limits.scoredProxies) + samples;
  const minutes = clip.minutes.load + encodingMinutes([clip, dino], pictures);
  const wanted = request.advanced.evaluate?.instanceType;
  const on = chooseInstance(clip, 'training', wanted, context.instanceTypes);
  return trainingPlan('evaluate', on, minutes, {
    hyperparameters: { stage: 'evaluate', family: 'clip-dino', model: clip.id, seed: request.seed },
    channels: {
      [channels.plan]: keys.plan(run),
      [channels.references]: keys.references(run),
      [channels.proxies]: keys.pictures(run, 'synthesize'),
      [channels.samplesTeacher]: keys.pictures(run, 'sample-teacher'),
      [channels.samplesStudent]: keys.pictures(run, 'sample-student'),
      ...(teachRecipe(parts).samples && { [channels.validation]: keys.teachSamples(run) }),
      [channels.clip]: keys.model(clip.id),
      [channels.dino]: keys.model(dino.id),
      ...curated(context, curation),
    },
    compressed: false,
  });
}

/** Proxies a transform request. */
export function proxiesPerChunk(request: Request, teacher: Model): number {
  return request.advanced.synthesize?.picturesPerChunk ?? recipeOf(teacher, request.preset).picturesPerChunk;
}

function synthesize({ request, context, teacher, student, counts, curation }: Parts): TransformPlan {
  const recipe = recipeOf(teacher, request.preset);
  const override = request.advanced.synthesize ?? {};
  const drawn =
    recipe.sampler.kind === 'diffusion'
      ? { ...recipe.sampler, ...defined({ steps: override.steps }) }
      : recipe.sampler;
  const as = (kind: Synthesis) =>
    transformPlan('synthesize', teacher, 'teacher', recipe, counts.proxies, {
      kind,
      size: teacherDrawSize(teacher, recipeOf(student, request.preset)),
      on: chooseInstance(teacher, JOB_KINDS[kind], override.instanceType, context.instanceTypes),
      sampler: { ...drawn, ...defined({ guidance: override.guidance }) },
      picturesPerChunk: proxiesPerChunk(request, teacher),
      variants: 1,
      instances: override.instances,
      rounds: curation?.rounds,
    });
  return {
    ...as(request.synthesis),
    either: { transform: priceOf(as, 'transform'), spot: priceOf(as, 'spot') },
  };
}

/** What the stage would take as a kind of job, or null where its instance type is not offered for that. */
function priceOf(as: (kind: Synthesis) => TransformPlan, kind: Synthesis) {
  try {
    const { instanceType, minutes, usd } = as(kind);
    return { instanceType, minutes, usd };
  } catch (error) {
    if (error instanceof ProxytuneError && error.name === 'RequestInvalid') return null;
    throw error;
  }
}

function sample(parts: Parts, role: 'teacher' | 'student'): TransformPlan {
  const { request, context, teacher, student, counts } = parts;
  const override = request.advanced.sample ?? {};
  const model = role === 'teacher' ? teacher : student;
  const recipe = recipeOf(model, request.preset);
  const drawn = recipeOf(student, request.preset);
  return transformPlan(`sample-${role}`, model, role, recipe, counts.prompts * counts.picturesPerPrompt, {
    kind: 'transform',
    size: role === 'teacher' ? teacherDrawSize(teacher, drawn) : drawn.size,
    on: chooseInstance(model, 'transform', override.instanceType, context.instanceTypes),
    sampler: { ...recipe.sampler, ...defined({ guidance: override.guidance }) },
    picturesPerChunk: recipe.picturesPerChunk,
    variants: 2,
  });
}

function trained(model: Model, recipe: Recipe, seed: number) {
  const { rank, alpha, learningRate, steps, batchSize, size, checkpointEvery } = recipe;
  return {
    family: model.family,
    model: model.id,
    seed,
    rank,
    alpha,
    learning_rate: learningRate,
    steps,
    batch_size: batchSize,
    size,
    checkpoint_every: checkpointEvery,
  };
}

/** The recipe with the request's overrides; alpha follows rank, so that the adapter's scale stays. */
function tuned(
  recipe: Recipe,
  override: {
    rank?: number | undefined;
    learningRate?: number | undefined;
    steps?: number | undefined;
    batchSize?: number | undefined;
  },
): Recipe {
  const { rank, learningRate, steps, batchSize } = override;
  return { ...recipe, ...defined({ rank, alpha: rank, learningRate, steps, batchSize }) };
}

/** The entries that are not undefined. */
function defined<T extends object>(entries: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as never;
}
