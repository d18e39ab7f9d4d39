/** From a request to a plan. Pure: the same request, run and catalogue always give the same plan. */

import { type Domain, domainOf } from '../catalogue/domains.ts';
import { type EvaluationList, evaluationList } from '../catalogue/evaluation.ts';
import { PRICES_AS_OF } from '../catalogue/instances.ts';
import { countsImages, method } from '../catalogue/methods.ts';
import { atScale, type Model, measuring, measuringIfAny, model, recipeOf } from '../catalogue/models.ts';
import { evaluationPrompts, proxyPrompt, proxyPromptsInContext } from '../catalogue/prompts.ts';
import type { Recipe } from '../catalogue/recipes.ts';
import { checkTokenWord } from '../catalogue/token-word.ts';
import { ProxytuneError } from '../errors.ts';
import { unusedFields } from '../request/method-rules.ts';
import type { Request } from '../request/request.ts';
import { curationOf } from '../stages/curate.ts';
import type { Parts, PlanContext } from '../stages/parts.ts';
import { planStages } from '../stages/stages.ts';
import { proxiesPerChunk } from '../stages/synthesize.ts';
import { eachModel, type OfModels, type Role } from '../words.ts';
import { chosen, methodOf, type Plan, type StagePlan } from './plan.ts';
import { listUsd, round } from './pricing.ts';

/** Every evaluation prompt of the list. */
const ALL = Number.POSITIVE_INFINITY;

/** How many proxies and samples a preset asks for when the request does not say. */
const PRESET_COUNTS = {
  draft: { proxies: 200, prompts: 8, picturesPerPrompt: 1 },
  standard: { proxies: 1000, prompts: ALL, picturesPerPrompt: 4 },
  best: { proxies: 1000, prompts: ALL, picturesPerPrompt: 4 },
} as const;

/**
 * @throws TokenWordUnusable, OverBudget, ModelUnknown, RequestInvalid
 */
export function makePlan(request: Request, context: PlanContext): Plan {
  const parts = partsOf(request, context);
  const { method, teacher, student, clip, dino, masc, dreamsim, counts, named } = parts;
  const segmenter = parts.segmenter ?? masc?.segmenter;
  const evaluation = evaluationPrompts(named, parts.evaluation, counts.prompts);
  const inContext = counts.proxiesInContext > 0 ? proxyPromptsInContext(named) : [];
  const domain = domainOf(named.domain);
  checkTokenWord(
    request.tokenWord,
    [...(teacher?.captionRules ?? []), ...student.captionRules],
    request.category,
    // Training and validation have prompts too. Words that the domain's models know have a meaning already, even where
    // no prompt of this run uses them.
    [
      ...[...evaluation, ...proxyPromptsInContext(named)].map((entry) => entry.plain),
      ...domain.instance,
      ...(domain.vocabulary ?? []),
    ],
  );
  const stages = planStages(parts, request);
  const estimate = {
    minutes: pipelineMinutes(stages),
    usd: sum(stages.map((stage) => stage.usd)),
    pricesAsOf: PRICES_AS_OF,
  };
  // The limit must hold even where spot saves nothing.
  const most = sum(stages.map(listUsd));
  if (most > request.maxUsd) throw overBudget(most, request.maxUsd);
  const looked = (row: Model) => chosen(row, context.digests?.[row.id]);
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
    method: methodOf(method),
    unused: unusedFields(request),
    models: {
      ...(teacher && { teacher: looked(teacher) }),
      student: looked(student),
      clip: looked(clip),
      dino: looked(dino),
      ...(segmenter && { segmenter: looked(segmenter) }),
      ...(masc && { siglip: looked(masc.siglip) }),
      ...(dreamsim && { dreamsim: looked(dreamsim) }),
    },
    world: { name: domain.name, title: domain.title, note: domain.note },
    prompts: { proxy: proxyPrompt(named), inContext, evaluation, evaluationList: listOf(parts.evaluation) },
    samples: {
      picturesPerPrompt: counts.picturesPerPrompt,
      pictures: counts.prompts * counts.picturesPerPrompt,
    },
    proxies: method.trainsOn === 'proxies' ? counts.proxies : null,
    proxiesInContext: counts.proxiesInContext,
    curation: parts.curation,
    stages,
    estimate,
    image: context.image ?? null,
    versions: { proxytune: context.version },
  };
}

/** The models of a request at a scale; those that measure are of the student's domain, which is its teacher's too. */
export function modelsFor(
  request: Pick<Request, 'student'> & Partial<Pick<Request, 'teacher' | 'masks' | 'method'>>,
  scale: PlanContext['scale'],
  absent: readonly string[] = [],
): OfModels<Model> {
  const { domain } = model(request.student);
  const siglip = mascOf(domain, scale, absent);
  const dreamsim = thereOf(domain, 'dreamsim', scale, absent);
  const teacher = method(request.method ?? 'proxy').teacher ? request.teacher : undefined;
  return {
    ...(teacher !== undefined && { teacher: atScale(teacher, scale) }),
    student: atScale(request.student, scale),
    clip: atScale(measuring(domain, 'clip').id, scale),
    dino: atScale(measuring(domain, 'dino').id, scale),
    ...(((request.masks === 'auto' && teacher !== undefined) || siglip !== undefined) && {
      segmenter: atScale(measuring(domain, 'segmenter').id, scale),
    }),
    ...(siglip && { siglip: atScale(siglip.id, scale) }),
    ...(dreamsim && { dreamsim: atScale(dreamsim.id, scale) }),
  };
}

/** The model that adds a measure, where the domain has one and it is there at this scale. */
function thereOf(
  domain: Domain,
  role: Role,
  scale: PlanContext['scale'],
  absent: readonly string[],
): Model | undefined {
  const row = measuringIfAny(domain, role);
  return row === undefined || absent.includes(atScale(row.id, scale).id) ? undefined : row;
}

/** The encoder of MaSC, where the segmenter that MaSC needs is there too. */
function mascOf(domain: Domain, scale: PlanContext['scale'], absent: readonly string[]): Model | undefined {
  const segmenter = thereOf(domain, 'segmenter', scale, absent);
  return segmenter && thereOf(domain, 'siglip', scale, absent);
}

/** The ids of a request's models that only add a measure: a run does without them where they are not imported. */
export function optionalModels(
  request: Parameters<typeof modelsFor>[0],
  scale: PlanContext['scale'],
): string[] {
  const { siglip, dreamsim } = modelsFor(request, scale);
  const extra = [siglip, dreamsim].flatMap((row) => row?.id ?? []);
  const needed = eachModel(modelsFor(request, scale, extra)).map(({ id }) => id);
  return eachModel(modelsFor(request, scale))
    .map(({ id }) => id)
    .filter((id) => !needed.includes(id));
}

/** The scale that a plan was made at; undefined where its models are the same at both. */
export function scaleOf(models: OfModels<Pick<Model, 'id'>>): PlanContext['scale'] | undefined {
  const rows = eachModel(models).map(({ id }) => model(id));
  if (rows.some(({ standInFor }) => standInFor !== null)) return 'tiny';
  return rows.some(({ tiny }) => tiny !== null) ? 'full' : undefined;
}

/** Everything that the stages are planned from, looked up once. */
function partsOf(request: Request, context: PlanContext): Parts {
  const preset = PRESET_COUNTS[request.preset];
  const { segmenter, siglip, ...models } = modelsFor(request, context.scale, context.absent);
  const { domain } = models.student;
  const { advanced } = request;
  const student = recipeOf(models.student, request.preset);
  const teacher = models.teacher && forStudent(recipeOf(models.teacher, request.preset), student);
  const evaluation = evaluationList(domain, request.category, request.subjectKind);
  const how = method(request.method);
  const images = countsImages(how) ? (request.proxies ?? preset.proxies) : undefined;
  const proxies = how.teacher ? (images ?? 0) : 0;
  const picturesPerChunk = teacher === undefined ? 1 : proxiesPerChunk(teacher, advanced.synthesize);
  return {
    context,
    seed: request.seed,
    method: how,
    ...models,
    segmenter: how.teacher && request.masks === 'auto' ? segmenter : undefined,
    masc: segmenter && siglip && { siglip, segmenter },
    recipes: { teacher, student },
    curation: how.teacher
      ? curationOf(request, advanced.curate, models.clip.id, { proxies, picturesPerChunk })
      : null,
    named: { domain, tokenWord: request.tokenWord, category: request.category },
    evaluation,
    counts: {
      proxies,
      images,
      proxiesPerChunk: picturesPerChunk,
      proxiesInContext: Math.round(proxies * request.proxyContexts),
      prompts: advanced.sample?.prompts ?? Math.min(preset.prompts, evaluation.prompts.length),
      picturesPerPrompt: advanced.sample?.picturesPerPrompt ?? preset.picturesPerPrompt,
    },
  };
}

/**
 * The teacher's recipe at the one size of its training, its validation images, its proxies and its samples: its own,
 * or the student's where that is larger. At another size than the trained one a teacher would generate worse, and a
 * checkpoint would be selected by images unlike the proxies.
 */
function forStudent(teacher: Recipe, { size }: Recipe): Recipe {
  return { ...teacher, size: Math.max(teacher.size, size) };
}

/** The evaluation list in a plan, without its prompts. */
function listOf({ name, title, source, chosenBy }: EvaluationList): Plan['prompts']['evaluationList'] {
  return { name, title, source, chosenBy };
}

function overBudget(usd: number, maxUsd: number): ProxytuneError {
  return new ProxytuneError('OverBudget', {
    what: 'The plan costs more than maxUsd',
    given: `${usd.toFixed(2)} USD`,
    allowed: `${maxUsd.toFixed(2)} USD`,
    remedy: 'raise maxUsd, or choose preset draft, fewer proxies or fewer samples',
  });
}

/** Minutes from the first stage to the last: both models generate their samples at once. */
function pipelineMinutes(stages: readonly StagePlan[]): number {
  const minutes = (of: (stage: string) => boolean): number[] =>
    stages.filter(({ stage }) => of(stage)).map((stage) => stage.minutes);
  const sampling = (stage: string): boolean => stage === 'sample-teacher' || stage === 'sample-student';
  return sum([...minutes((stage) => !sampling(stage)), Math.max(...minutes(sampling))]);
}

const sum = (values: number[]): number =>
  round(
    values.reduce((total, value) => total + value, 0),
    4,
  );
