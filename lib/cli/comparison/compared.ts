/** Finished runs side by side: their rows, means over subjects, and images by prompt. */
import type { Metrics } from '../../core/contract/metrics.ts';
import { scaleOf } from '../../core/plan/make-plan.ts';
import { modelOfRole, type Plan } from '../../core/plan/plan.ts';
import { MEASURES, type MetricsRow, type Score } from './measures.ts';

/** A run with its report on this disk. */
export interface ComparedRun {
  readonly plan: Plan;
  readonly metrics: Metrics;
  /** The folder of its report. */
  readonly folder: string;
}

/** The rows that a comparison shows of a run, in order. */
const ROWS = ['teacher', 'student'] as const;
export type ComparedRow = (typeof ROWS)[number];

/** A model of a run with its scores, a measure each; null where the run has none of it. */
export interface ComparedModel {
  readonly runId: string;
  readonly subject: string;
  readonly category: string;
  readonly row: ComparedRow;
  readonly method: string;
  /** Catalogue id. */
  readonly model: string;
  readonly preset: string;
  readonly images: number;
  readonly scores: Readonly<Record<string, Score | null>>;
}

/** Every tuned model of the runs. */
export function comparedModels(runs: readonly ComparedRun[]): ComparedModel[] {
  return runs.flatMap(({ plan, metrics }) =>
    ROWS.flatMap((name) => {
      const row = metrics.rows.find((candidate) => candidate.name === name);
      return row === undefined ? [] : [modelOf(plan, metrics, name, row)];
    }),
  );
}

function modelOf(plan: Plan, metrics: Metrics, name: ComparedRow, row: MetricsRow): ComparedModel {
  return {
    runId: metrics.run,
    subject: metrics.subject,
    category: metrics.category,
    row: name,
    method: plan.method.id,
    model: modelOfRole(plan, name).id,
    preset: plan.preset,
    images: row.pictures,
    scores: Object.fromEntries(MEASURES.map(({ key, of }) => [key, of(row)])),
  };
}

/** The mean over subjects of one kind of model, as papers print it. */
export interface SubjectMean {
  readonly row: ComparedRow;
  readonly method: string;
  readonly model: string;
  readonly preset: string;
  readonly subjects: number;
  readonly means: Readonly<Record<string, number | null>>;
}

/**
 * Means over subjects, each subject counted once however many runs it has; only where there are several subjects.
 * A measure that one of them lacks has no mean.
 */
export function meansOverSubjects(models: readonly ComparedModel[]): SubjectMean[] {
  const kinds = Object.values(
    Object.groupBy(models, ({ row, method, model, preset }) => [row, method, model, preset].join(' ')),
  ).filter((kind) => kind !== undefined);
  return kinds.flatMap((kind) => {
    const [first] = kind;
    const subjects = Object.values(Object.groupBy(kind, ({ subject }) => subject)).filter(
      (of) => of !== undefined,
    );
    if (first === undefined || subjects.length < 2) return [];
    const { row, method, model, preset } = first;
    const means = MEASURES.map(({ key }) => {
      const each = subjects.map((of) => mean(of.map(({ scores }) => scores[key]?.mean ?? null)));
      return [key, mean(each)] as const;
    });
    return [{ row, method, model, preset, subjects: subjects.length, means: Object.fromEntries(means) }];
  });
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  if (known.length < values.length || known.length === 0) return null;
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** An image of a comparison; its file is relative to the report of its run. */
export interface ComparedImage {
  readonly runId: string;
  readonly row: ComparedRow;
  readonly file: string;
}

/** A prompt with S* for the subject, and the first image of each model that generated it. */
export interface ComparedPrompt {
  readonly prompt: string;
  readonly images: readonly ComparedImage[];
}

/** Images by prompt, in the order in which the runs name the prompts. */
export function imagesByPrompt(runs: readonly ComparedRun[]): ComparedPrompt[] {
  const prompts = new Map<string, ComparedImage[]>();
  for (const { plan, metrics } of runs) {
    for (const row of ROWS) {
      const seen = new Set<string>();
      for (const { row: of, prompt, file } of metrics.pictures) {
        if (of !== row || prompt === null) continue;
        const general = prompt.replace(`${plan.tokenWord} ${plan.category}`, 'S*');
        if (seen.has(general)) continue;
        seen.add(general);
        const images = prompts.get(general) ?? [];
        prompts.set(general, [...images, { runId: metrics.run, row, file }]);
      }
    }
  }
  return [...prompts].map(([prompt, images]) => ({ prompt, images }));
}

/** Reasons why scores of these runs must not be set side by side, each a sentence. */
export function obstacles(runs: readonly ComparedRun[]): string[] {
  const encoders = new Set(
    runs.map(({ metrics: { evaluator } }) => evaluator.clip_sha256 + evaluator.dino_sha256),
  );
  const standIns = runs.filter(({ plan }) => scaleOf(plan.models) === 'tiny');
  const named = standIns.map(({ metrics }) => metrics.run).join(', ');
  return [
    ...(encoders.size > 1
      ? ['The runs were measured by different encoders, so their scores cannot be compared.']
      : []),
    ...(standIns.length > 0
      ? [
          `Scores are left out: they mean nothing for tiny stand-ins with random weights, which ${named} used.`,
        ]
      : []),
  ];
}
