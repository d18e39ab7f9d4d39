/** Facts that are known only once the last job is over, so that publish fills them into the report: the time of each stage, and which
 * jobs made the adapters. */
import type { Metrics, StageOutcome } from '../contract/metrics.ts';
import { names } from '../contract/names.ts';
import { JOB_STAGES, type JobStage, STANDARD_STAGES } from '../words.ts';
import type { JobRecord } from './records.ts';

/** The place in the page that the evaluation leaves for the table's rows. */
export const STAGES_SLOT = names.reportSlots.stages;

/**
 * One outcome a stage, all its attempts and rounds added up.
 * @param planned - the stages of the run. @default - those of a run with every field at its default
 */
export function stageOutcomes(
  jobs: readonly JobRecord[],
  planned: readonly JobStage[] = STANDARD_STAGES,
): StageOutcome[] {
  const stages = JOB_STAGES.filter(
    (stage) => planned.includes(stage) || jobs.some((job) => job.stage === stage),
  );
  return stages.map((stage) => {
    const own = jobs.filter((job) => job.stage === stage);
    return {
      stage,
      attempts: own.length,
      instance: own.at(-1)?.instanceType ?? null,
      seconds: total(own.map((job) => job.seconds ?? 0)),
      usd: total(own.map((job) => job.usd ?? 0)),
    };
  });
}

export function totalUsd(outcomes: readonly StageOutcome[]): number {
  return total(outcomes.map((outcome) => outcome.usd));
}

/** The page with the stage rows in their slot. Every value is ours (names, numbers), so nothing needs escaping. */
export function fillStages(html: string, outcomes: readonly StageOutcome[]): string {
  const rows = outcomes.map((outcome) =>
    row([
      outcome.stage,
      outcome.instance ?? '',
      String(outcome.attempts),
      `${outcome.seconds} s`,
      `$${outcome.usd.toFixed(4)}`,
    ]),
  );
  const seconds = total(outcomes.map((outcome) => outcome.seconds));
  const sum = row(
    ['all jobs', '', '', `${seconds} s`, `$${totalUsd(outcomes).toFixed(4)}`],
    ' class="total"',
  );
  return html.replace(STAGES_SLOT, () => [...rows, sum].join('\n'));
}

/** The page with the names of the jobs that made the adapters, in the places that the evaluation leaves for them. */
export function fillJobs(html: string, jobs: readonly JobRecord[]): string {
  return JOB_STAGES.reduce((page, stage) => {
    const made = jobs.filter((job) => job.stage === stage && job.state === 'SUCCEEDED').at(-1);
    return made === undefined ? page : page.replaceAll(jobSlot(stage), () => made.jobName);
  }, html);
}

/** The place in the page that the evaluation leaves for the name of a stage's job. */
export function jobSlot(stage: JobStage): string {
  return names.reportSlots.job.replace('{stage}', stage);
}

export function withStages(metrics: Metrics, outcomes: readonly StageOutcome[]): Metrics {
  return { ...metrics, stages: [...outcomes] };
}

/** The first cell names the row, for readers who hear the page. */
function row([name = '', ...cells]: readonly string[], attributes = ''): string {
  const rest = cells.map((cell) => `<td>${cell}</td>`).join('');
  return `<tr${attributes}><th scope="row">${name}</th>${rest}</tr>`;
}

function total(values: readonly number[]): number {
  return Number(values.reduce((sum, value) => sum + value, 0).toFixed(4));
}
