/** From a request to a plan. Pure: the same request, run and catalogue always give the same plan. */
import { atScale, PRICES_AS_OF } from './catalogue.ts';
import { ProxytuneError } from './errors.ts';
import { chosen, type Plan } from './plan.ts';
import { round } from './plan-jobs.ts';
import { type Parts, type PlanContext, planStages } from './plan-stages.ts';
import { EVALUATION_PROMPTS, evaluationPrompts, proxyPrompt } from './prompts.ts';
import type { Request } from './request.ts';
import { checkTokenWord } from './token-word.ts';

/** How many proxies and samples a preset asks for when the request does not say. */
const PRESET_COUNTS = {
  draft: { proxies: 200, prompts: 8, picturesPerPrompt: 1 },
  standard: { proxies: 1000, prompts: EVALUATION_PROMPTS, picturesPerPrompt: 4 },
  best: { proxies: 1000, prompts: EVALUATION_PROMPTS, picturesPerPrompt: 4 },
} as const;

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

function overBudget(usd: number, maxUsd: number): ProxytuneError {
  return new ProxytuneError('OverBudget', {
    what: 'The plan costs more than maxUsd',
    given: `${usd.toFixed(2)} USD`,
    allowed: `${maxUsd.toFixed(2)} USD`,
    remedy: 'raise maxUsd, or choose preset draft, fewer proxies or fewer samples',
  });
}

const sum = (values: number[]): number =>
  round(
    values.reduce((total, value) => total + value, 0),
    4,
  );
