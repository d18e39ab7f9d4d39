/** From a request to a plan. Pure: the same request, run and catalogue always give the same plan. */
import {
  atScale,
  type Instance,
  instance,
  type Model,
  PRICES_AS_OF,
  type Recipe,
  recipeOf,
} from './catalogue.ts';
import { usdFor } from './cost.ts';
import { ProxytuneError } from './errors.ts';
import { keys } from './keys.ts';
import { chosen, type Plan, type StagePlan, type TrainingPlan, type TransformPlan } from './plan.ts';
import { EVALUATION_PROMPTS, evaluationPrompts, instancePrompts, proxyPrompt } from './prompts.ts';
import type { Request } from './request.ts';
import { checkTokenWord } from './token-word.ts';
import type { TrainingStage, TransformStage } from './words.ts';

/** How many proxies and samples a preset asks for when the request does not say. */
const PRESET_COUNTS = {
  draft: { proxies: 200, prompts: 8, picturesPerPrompt: 1 },
  standard: { proxies: 1000, prompts: EVALUATION_PROMPTS, picturesPerPrompt: 4 },
  best: { proxies: 1000, prompts: EVALUATION_PROMPTS, picturesPerPrompt: 4 },
} as const;

/** A run that takes this many times its estimate is not slow but stuck. */
const PATIENCE = 4;
const LEAST_RUNTIME_SECONDS = 3600;
/**
 * The longest a job may run, however long it is expected to take: the state machine waits no longer, the role that
 * creates jobs may ask for no more, and an account's default quota is five days.
 */
export const LONGEST_RUNTIME_SECONDS = 72 * 3600;

export interface PlanContext {
  readonly runId: string;
  readonly subject: string;
  readonly bucket: string;
  /** `tiny`: tiny models of the same classes stand in for the full-size ones, as on a machine without weights. */
  readonly scale: 'full' | 'tiny';
  /** Version of this product, for the records. */
  readonly version: string;
}

interface Parts {
  readonly request: Request;
  readonly context: PlanContext;
  readonly teacher: Model;
  readonly student: Model;
  readonly clip: Model;
  readonly dino: Model;
  readonly counts: { proxies: number; prompts: number; picturesPerPrompt: number };
}

/**
 * @throws TokenWordUnusable, OverBudget, ModelUnknown, RequestInvalid
 */
export function makePlan(request: Request, context: PlanContext): Plan {
  const parts = gather(request, context);
  const { teacher, student, clip, dino, counts } = parts;
  const evaluation = evaluationPrompts(request.tokenWord, request.category, counts.prompts);
  checkTokenWord(
    request.tokenWord,
    [...teacher.captionRules, ...student.captionRules],
    request.category,
    evaluation.map((entry) => entry.plain),
  );
  const stages = planStages(parts);
  const estimate = {
    minutes: sum(stages.map((stage) => stage.minutes)),
    usd: sum(stages.map((stage) => stage.usd)),
    pricesAsOf: PRICES_AS_OF,
  };
  if (estimate.usd > request.maxUsd) throw overBudget(estimate.usd, request.maxUsd);
  return {
    version: 1,
    runId: context.runId,
    subject: context.subject,
    bucket: context.bucket,
    category: request.category,
    tokenWord: request.tokenWord,
    preset: request.preset,
    seed: request.seed,
    request: { ...request },
    models: { teacher: chosen(teacher), student: chosen(student), clip: chosen(clip), dino: chosen(dino) },
    prompts: { proxy: proxyPrompt(request.tokenWord, request.category), evaluation },
    samples: {
      picturesPerPrompt: counts.picturesPerPrompt,
      pictures: counts.prompts * counts.picturesPerPrompt,
    },
    proxies: counts.proxies,
    stages,
    estimate,
    versions: { proxytune: context.version },
  };
}

function gather(request: Request, context: PlanContext): Parts {
  const preset = PRESET_COUNTS[request.preset];
  return {
    request,
    context,
    teacher: atScale(request.teacher, context.scale),
    student: atScale(request.student, context.scale),
    clip: atScale('clip-vit-b32', context.scale),
    dino: atScale('dino-vits16', context.scale),
    counts: {
      proxies: request.proxies ?? preset.proxies,
      prompts: request.advanced.sample?.prompts ?? preset.prompts,
      picturesPerPrompt: request.advanced.sample?.picturesPerPrompt ?? preset.picturesPerPrompt,
    },
  };
}

function planStages(parts: Parts): StagePlan[] {
  return [
    teach(parts),
    synthesize(parts),
    learn(parts),
    sample(parts, 'teacher'),
    sample(parts, 'student'),
    evaluate(parts),
  ];
}

function teach({ request, context, teacher }: Parts): TrainingPlan {
  const override = request.advanced.teach ?? {};
  const recipe = tuned(recipeOf(teacher, request.preset), override);
  return trainingPlan(
    'teach',
    teacher,
    override,
    teacher.minutes.load + recipe.steps * teacher.minutes.perStep,
    {
      hyperparameters: {
        stage: 'teach',
        ...trained(teacher, recipe, request.seed),
        token_word: request.tokenWord,
        prompts: instancePrompts(request.tokenWord, request.category),
      },
      channels: { base: keys.model(teacher.id), references: keys.references(context.runId) },
    },
  );
}

function learn({ request, context, student, counts }: Parts): TrainingPlan {
  const override = request.advanced.learn ?? {};
  const recipe = tuned(recipeOf(student, request.preset), override);
  return trainingPlan(
    'learn',
    student,
    override,
    student.minutes.load + recipe.steps * student.minutes.perStep,
    {
      hyperparameters: {
        stage: 'learn',
        ...trained(student, recipe, request.seed),
        caption: proxyPrompt(request.tokenWord, request.category),
        token_word: request.tokenWord,
        caption_dropout: recipe.captionDropout ?? 0.1,
        proxies: counts.proxies,
      },
      channels: { base: keys.model(student.id), proxies: keys.pictures(context.runId, 'synthesize') },
    },
  );
}

function evaluate({ request, context, clip, dino, counts }: Parts): TrainingPlan {
  const run = context.runId;
  const pictures = counts.proxies + 4 * counts.prompts * counts.picturesPerPrompt;
  const minutes = clip.minutes.load + pictures * (clip.minutes.perPicture + dino.minutes.perPicture);
  return trainingPlan('evaluate', clip, {}, minutes, {
    hyperparameters: { stage: 'evaluate', family: 'clip-dino', model: clip.id, seed: request.seed },
    channels: {
      plan: keys.plan(run),
      references: keys.references(run),
      proxies: keys.pictures(run, 'synthesize'),
      'samples-teacher': keys.pictures(run, 'sample-teacher'),
      'samples-student': keys.pictures(run, 'sample-student'),
      clip: keys.model(clip.id),
      dino: keys.model(dino.id),
    },
    compressed: false,
  });
}

function synthesize({ request, teacher, counts }: Parts): TransformPlan {
  const recipe = recipeOf(teacher, request.preset);
  const override = request.advanced.synthesize ?? {};
  const drawn =
    recipe.sampler.kind === 'diffusion'
      ? { ...recipe.sampler, ...defined({ steps: override.steps }) }
      : recipe.sampler;
  return transformPlan('synthesize', teacher, 'teacher', recipe, counts.proxies, {
    sampler: { ...drawn, ...defined({ guidance: override.guidance }) },
    picturesPerChunk: override.picturesPerChunk ?? recipe.picturesPerChunk,
    variants: 1,
  });
}

function sample({ request, teacher, student, counts }: Parts, role: 'teacher' | 'student'): TransformPlan {
  const model = role === 'teacher' ? teacher : student;
  const recipe = recipeOf(model, request.preset);
  return transformPlan(`sample-${role}`, model, role, recipe, counts.prompts * counts.picturesPerPrompt, {
    sampler: { ...recipe.sampler, ...defined({ guidance: request.advanced.sample?.guidance }) },
    picturesPerChunk: recipe.picturesPerChunk,
    variants: 2,
  });
}

function trainingPlan(
  stage: TrainingStage,
  model: Model,
  override: { instanceType?: string | undefined; spot?: boolean | undefined },
  minutes: number,
  rest: Pick<TrainingPlan, 'hyperparameters' | 'channels'> & { compressed?: boolean },
): TrainingPlan {
  const on = choose(model, 'training', override.instanceType);
  return {
    stage,
    kind: 'training',
    instanceType: on.type,
    ...priced(minutes, on),
    spot: override.spot ?? false,
    compressed: true,
    ...rest,
  };
}

function transformPlan(
  stage: TransformStage,
  model: Model,
  role: 'teacher' | 'student',
  recipe: Recipe,
  picturesOfVariant: number,
  rest: Pick<TransformPlan, 'sampler' | 'picturesPerChunk'> & { variants: 1 | 2 },
): TransformPlan {
  const on = choose(model, 'transform');
  const pictures = picturesOfVariant * rest.variants;
  return {
    stage,
    kind: 'transform',
    instanceType: on.type,
    ...priced(model.minutes.load + pictures * model.minutes.perPicture, on),
    adapterOf: role === 'teacher' ? 'teach' : 'learn',
    role,
    size: recipe.drawSize,
    batchSize: recipe.drawBatch,
    sampler: rest.sampler,
    chunks: Math.ceil(picturesOfVariant / rest.picturesPerChunk) * rest.variants,
    pictures,
    picturesPerChunk: rest.picturesPerChunk,
  };
}

function choose(model: Model, kind: 'training' | 'transform', wanted?: string): Instance {
  const row = instance(wanted ?? model.instances[kind][0] ?? '');
  if (row[kind]) return row;
  throw new ProxytuneError('RequestInvalid', {
    what: `SageMaker offers this instance type for no ${kind} job`,
    given: row.type,
    allowed: model.instances[kind].join(', '),
    remedy: 'choose another instanceType, or leave it out',
  });
}

function priced(minutes: number, on: Instance) {
  return {
    minutes: round(minutes, 2),
    usd: usdFor(minutes * 60, on),
    maxRuntimeSeconds: Math.min(
      LONGEST_RUNTIME_SECONDS,
      Math.max(LEAST_RUNTIME_SECONDS, Math.ceil(minutes * 60 * PATIENCE)),
    ),
  };
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

function overBudget(usd: number, maxUsd: number): ProxytuneError {
  return new ProxytuneError('OverBudget', {
    what: 'The plan costs more than maxUsd',
    given: `${usd.toFixed(2)} USD`,
    allowed: `${maxUsd.toFixed(2)} USD`,
    remedy: 'raise maxUsd in subject.json, or choose preset draft, fewer proxies or fewer samples',
  });
}

const sum = (values: number[]): number =>
  round(
    values.reduce((total, value) => total + value, 0),
    4,
  );

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
