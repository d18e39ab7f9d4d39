/** The state of a run, from the table, the progress files and the images that exist. */
import { outputsBelow } from '../aws/outcomes.ts';
import { readProgress } from '../aws/runs.ts';
import { type BucketContext, exists } from '../aws/s3.ts';
import { readRecords, type TableContext } from '../aws/table.ts';
import type { JobRecord, RunRecord } from '../core/jobs/records.ts';
import { keys } from '../core/keys.ts';
import {
  isJobStage,
  isTransformStage,
  type JobStage,
  STAGES,
  STANDARD_STAGES,
  type Stage,
} from '../core/words.ts';

export type StageState = 'waiting' | 'running' | 'done' | 'failed';

export interface StageView {
  readonly stage: Stage;
  readonly state: StageState;
  /** 0 before the first. */
  readonly attempt: number;
  /** Its current activity, in a few words. */
  readonly phase: string;
  readonly step: number;
  readonly total: number;
  /** `unit`s a second. */
  readonly rate: number | null;
  readonly unit: 'steps' | 'chunks';
  readonly etaSeconds: number | null;
  readonly loss: number | null;
  /** Billable seconds, once it is over. */
  readonly seconds: number | null;
}

export interface RunView {
  readonly runId: string;
  readonly subject: string;
  readonly status: RunRecord['status'];
  readonly startedAt: string | null;
  /** When its newest execution began; differs from startedAt once it was resumed. */
  readonly begunAt: string | null;
  readonly endedAt: string | null;
  readonly error: string | null;
  readonly message: string | null;
  /** A fault that did not affect the run, such as one of its mail. */
  readonly warning: string | null;
  readonly report: string | null;
  readonly usd: number;
  readonly stages: readonly StageView[];
}

/** The state of a run now. @returns undefined when the table has no such run */
export async function readRunView(
  context: BucketContext & TableContext,
  runId: string,
): Promise<RunView | undefined> {
  const records = await readRecords(context, runId);
  if (records === undefined) return undefined;
  const { run, jobs } = records;
  const stages: StageView[] = [];
  for (const stage of STAGES)
    if (!isJobStage(stage) || (run.stages ?? STANDARD_STAGES).includes(stage))
      stages.push(await viewOf(context, run, jobs, stage));
  return {
    runId,
    subject: run.subject,
    status: run.status,
    startedAt: run.startedAt,
    begunAt: run.begunAt ?? null,
    endedAt: run.endedAt ?? null,
    error: run.error ?? null,
    message: run.message ?? null,
    warning: run.warning ?? null,
    report: run.report ?? null,
    usd: Number(jobs.reduce((sum, job) => sum + (job.usd ?? 0), 0).toFixed(4)),
    stages: inferStates(run, stages),
  };
}

const idle = {
  unit: 'steps' as const,
  attempt: 0,
  phase: '',
  step: 0,
  total: 0,
  rate: null,
  etaSeconds: null,
  loss: null,
  seconds: null,
};

async function viewOf(
  context: BucketContext,
  run: RunRecord,
  jobs: readonly JobRecord[],
  stage: Stage,
): Promise<StageView> {
  if (stage === 'plan') return lambda(stage, await exists(context, keys.plan(run.runId)));
  if (stage === 'inspect') {
    // The findings are there then too, and would pass for a stage that is done.
    if (run.error === 'PhotosRejected') return { stage, ...idle, state: 'failed' };
    // The findings expire; there are jobs only after an inspection.
    return lambda(stage, jobs.length > 0 || (await exists(context, keys.findings(run.runId))));
  }
  if (stage === 'publish') return lambda(stage, run.status === 'SUCCEEDED');
  const own = jobs.filter((job) => job.stage === stage);
  const view = await viewJob(context, own, stage);
  if (stage === 'curate' && view.state === 'done') return decided(context, run, view);
  // What failed while the run goes on will be tried again, or the run is about to end.
  const again = view.state === 'failed' && run.status === 'RUNNING';
  return again
    ? { ...view, state: 'running', phase: 'waiting to be retried', rate: null, etaSeconds: null }
    : view;
}

/** A curation is over when the round was decided: another round may come, or too few proxies may be left. */
async function decided(context: BucketContext, run: RunRecord, view: StageView): Promise<StageView> {
  if (run.error === 'ProxiesTooFew') return { ...view, state: 'failed' };
  if (await exists(context, keys.curationFile(run.runId))) return view;
  return {
    ...view,
    state: run.status === 'RUNNING' ? 'running' : 'failed',
    phase: 'deciding on the proxies',
  };
}

function lambda(stage: Stage, done: boolean): StageView {
  return { stage, ...idle, state: done ? 'done' : 'waiting' };
}

async function viewJob(
  context: BucketContext,
  jobs: readonly JobRecord[],
  stage: JobStage,
): Promise<StageView> {
  const job = [...jobs].sort((a, b) => (a.round ?? 1) - (b.round ?? 1) || a.attempt - b.attempt).at(-1);
  if (job === undefined) return { stage, ...idle, state: 'waiting' };
  const state: StageState =
    job.state === 'WAITING' ? 'running' : job.state === 'SUCCEEDED' ? 'done' : 'failed';
  const base = { stage, ...idle, state, attempt: job.attempt, seconds: job.seconds ?? null };
  if (isTransformStage(stage)) {
    const total = job.chunks ?? 0;
    // Proxies expire, and a stage that is done has them all.
    if (state === 'done') return { ...base, step: total, total, phase: 'drawing', unit: 'chunks' };
    const step = (await outputsBelow(context, keys.pictures(job.runId, stage))).size;
    const attempt = keys.picturesOfAttempt(job.runId, stage, job.attempt, job.round);
    const own =
      job.attempt === 1 && job.round === undefined ? step : (await outputsBelow(context, attempt)).size;
    const phase = job.round === undefined ? 'drawing' : `drawing, round ${job.round}`;
    return { ...base, step, total, phase, unit: 'chunks', ...pace(job, own, total - step) };
  }
  const seen = await readProgress(context, keys.progress(job.runId, stage));
  if (seen === undefined) return { ...base, phase: 'starting' };
  const { step, total, rate, loss, phase, eta_seconds: etaSeconds } = seen;
  return { ...base, step, total, rate, loss, phase, etaSeconds };
}

/** A transform reports no rate; this one is of what the attempt has drawn since it was created, loading included. */
function pace(job: JobRecord, drawn: number, left: number) {
  const elapsed = (Date.now() - Date.parse(job.createdAt)) / 1000;
  if (job.state !== 'WAITING' || drawn === 0 || elapsed <= 0) return {};
  return { rate: drawn / elapsed, etaSeconds: (elapsed / drawn) * left };
}

/** Infers states: stages before the newest known one are done, and the one after the last finished one is running. */
function inferStates(run: RunRecord, stages: readonly StageView[]): StageView[] {
  const last = stages.findLastIndex((stage) => stage.state !== 'waiting');
  const ended = run.status === 'RUNNING' ? 'running' : 'failed';
  return stages.map((stage, at) => {
    if (stage.state !== 'waiting') return stage;
    if (at < last) return { ...stage, state: 'done' };
    // Where proxies are drawn in rounds, an earlier stage than the last known one may be running again.
    const atWork = stages.some(({ state }) => state === 'running');
    const next = at === last + 1 && !atWork && (stages[last]?.state ?? 'done') === 'done';
    return next && run.status !== 'SUCCEEDED' ? { ...stage, state: ended } : stage;
  });
}
