/** What a run is doing, read from the table, the progress files and the pictures that are there. */
import { GetObjectCommand, ListObjectsV2Command, NoSuchKey } from '@aws-sdk/client-s3';
import { QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Place } from '../aws/context.ts';
import { type Progress, progress as progressSchema } from '../core/contract/progress.ts';
import { JOB_SORT_PREFIX, type JobRecord, type RunRecord, runKey } from '../core/jobs/records.ts';
import { chunkOfOutput, keys } from '../core/keys.ts';
import { isOptionalStage, isTransformStage, type JobStage, STAGES, type Stage } from '../core/words.ts';

export type StageState = 'waiting' | 'running' | 'done' | 'failed';

export interface StageView {
  readonly stage: Stage;
  readonly state: StageState;
  /** 0 before the first. */
  readonly attempt: number;
  /** What it does now, in a few words. */
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
  /** When its newest execution began; another moment than startedAt once it was resumed. */
  readonly begunAt: string | null;
  readonly endedAt: string | null;
  readonly error: string | null;
  readonly message: string | null;
  readonly report: string | null;
  readonly usd: number;
  readonly stages: readonly StageView[];
}

/** What the table holds of a run. @returns undefined when it knows no such run */
export async function readRecords(
  place: Place,
  runId: string,
): Promise<{ run: RunRecord; jobs: JobRecord[] } | undefined> {
  const { Items = [] } = await place.documents.send(
    new QueryCommand({
      TableName: place.table,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': runKey(runId).pk },
      ConsistentRead: true,
    }),
  );
  const run = Items.find((item) => item.sk === 'run') as RunRecord | undefined;
  const jobs = Items.filter((item) => String(item.sk).startsWith(JOB_SORT_PREFIX)) as JobRecord[];
  return run && { run, jobs };
}

/** The state of a run now. @returns undefined when the table knows no such run */
export async function readRunView(place: Place, runId: string): Promise<RunView | undefined> {
  const records = await readRecords(place, runId);
  if (records === undefined) return undefined;
  const { run, jobs } = records;
  const stages: StageView[] = [];
  for (const stage of STAGES)
    if (run.curated || !isOptionalStage(stage)) stages.push(await viewOf(place, run, jobs, stage));
  return {
    runId,
    subject: run.subject,
    status: run.status,
    startedAt: run.startedAt,
    begunAt: run.begunAt ?? null,
    endedAt: run.endedAt ?? null,
    error: run.error ?? null,
    message: run.message ?? null,
    report: run.report ?? null,
    usd: Number(jobs.reduce((sum, job) => sum + (job.usd ?? 0), 0).toFixed(4)),
    stages: settle(run, stages),
  };
}

/** Every run that the table knows, newest first. */
export async function listRuns(place: Place): Promise<RunRecord[]> {
  const found: RunRecord[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const page = await place.documents.send(
      new ScanCommand({
        TableName: place.table,
        FilterExpression: 'sk = :run',
        ExpressionAttributeValues: { ':run': 'run' },
        ExclusiveStartKey: start,
      }),
    );
    found.push(...((page.Items ?? []) as RunRecord[]));
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
  return found.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
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
  place: Place,
  run: RunRecord,
  jobs: readonly JobRecord[],
  stage: Stage,
): Promise<StageView> {
  if (stage === 'plan') return lambda(stage, await exists(place, keys.plan(run.runId)));
  if (stage === 'inspect') {
    // The findings are there then too, and would pass for a stage that is done.
    if (run.error === 'PhotosRejected') return { stage, ...idle, state: 'failed' };
    return lambda(stage, await exists(place, keys.findings(run.runId)));
  }
  if (stage === 'publish') return lambda(stage, run.status === 'SUCCEEDED');
  const own = jobs.filter((job) => job.stage === stage);
  const view = await viewJob(place, own, stage);
  if (stage === 'curate' && view.state === 'done') return weighed(place, run, view);
  // What failed while the run goes on will be tried again, or the run is about to end.
  const again = view.state === 'failed' && run.status === 'RUNNING';
  return again
    ? { ...view, state: 'running', phase: 'waiting to be tried again', rate: null, etaSeconds: null }
    : view;
}

/** A curation is over when its proxies were weighed: a further round may come, or too few may be left. */
async function weighed(place: Place, run: RunRecord, view: StageView): Promise<StageView> {
  if (run.error === 'ProxiesTooFew') return { ...view, state: 'failed' };
  if (await exists(place, keys.curationFile(run.runId))) return view;
  return { ...view, state: run.status === 'RUNNING' ? 'running' : 'failed', phase: 'weighing the proxies' };
}

function lambda(stage: Stage, done: boolean): StageView {
  return { stage, ...idle, state: done ? 'done' : 'waiting' };
}

async function viewJob(place: Place, jobs: readonly JobRecord[], stage: JobStage): Promise<StageView> {
  const job = [...jobs].sort((a, b) => (a.round ?? 1) - (b.round ?? 1) || a.attempt - b.attempt).at(-1);
  if (job === undefined) return { stage, ...idle, state: 'waiting' };
  const state: StageState =
    job.state === 'WAITING' ? 'running' : job.state === 'SUCCEEDED' ? 'done' : 'failed';
  const base = { stage, ...idle, state, attempt: job.attempt, seconds: job.seconds ?? null };
  if (isTransformStage(stage)) {
    const step = await outputsBelow(place, keys.pictures(job.runId, stage));
    const total = job.chunks ?? 0;
    const attempt = keys.picturesOfAttempt(job.runId, stage, job.attempt, job.round);
    const own = job.attempt === 1 && job.round === undefined ? step : await outputsBelow(place, attempt);
    const phase = job.round === undefined ? 'drawing' : `drawing, round ${job.round}`;
    return { ...base, step, total, phase, unit: 'chunks', ...pace(job, own, total - step) };
  }
  const seen = await readProgress(place, job.runId, stage);
  if (seen === undefined) return { ...base, phase: 'starting' };
  const { step, total, rate, loss, phase, eta_seconds: etaSeconds } = seen;
  return { ...base, step, total, rate, loss, phase, etaSeconds };
}

/** A transform tells no pace of its own; what this attempt drew since it was made does, loading included. */
function pace(job: JobRecord, drawn: number, left: number) {
  const elapsed = (Date.now() - Date.parse(job.createdAt)) / 1000;
  if (job.state !== 'WAITING' || drawn === 0 || elapsed <= 0) return {};
  return { rate: drawn / elapsed, etaSeconds: (elapsed / drawn) * left };
}

/** Stages before the newest known one are over, and the one after the last finished one is at work. */
function settle(run: RunRecord, stages: readonly StageView[]): StageView[] {
  const last = stages.findLastIndex((stage) => stage.state !== 'waiting');
  const ended = run.status === 'RUNNING' ? 'running' : 'failed';
  return stages.map((stage, at) => {
    if (stage.state !== 'waiting') return stage;
    if (at < last) return { ...stage, state: 'done' };
    // Where proxies are drawn in rounds, an earlier stage than the last known one may be at work again.
    const atWork = stages.some(({ state }) => state === 'running');
    const next = at === last + 1 && !atWork && (stages[last]?.state ?? 'done') === 'done';
    return next && run.status !== 'SUCCEEDED' ? { ...stage, state: ended } : stage;
  });
}

async function readProgress(place: Place, runId: string, stage: JobStage): Promise<Progress | undefined> {
  const text = await readObject(place, keys.progress(runId, stage));
  if (text === undefined) return undefined;
  try {
    return progressSchema.parse(JSON.parse(text));
  } catch {
    // Read while it was replaced; the next look finds it whole.
    return undefined;
  }
}

/** An object as text, or undefined when there is none. */
export async function readObject(place: Place, key: string): Promise<string | undefined> {
  try {
    const object = await place.s3.send(new GetObjectCommand({ Bucket: place.bucket, Key: key }));
    return await object.Body?.transformToString();
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined;
    throw error;
  }
}

async function exists(place: Place, key: string): Promise<boolean> {
  const page = await place.s3.send(
    new ListObjectsV2Command({ Bucket: place.bucket, Prefix: key, MaxKeys: 1 }),
  );
  return (page.KeyCount ?? page.Contents?.length ?? 0) > 0;
}

/** Chunks answered below a prefix of pictures; every attempt's repeat counts once. */
async function outputsBelow(place: Place, prefix: string): Promise<number> {
  return new Set((await listKeys(place, prefix)).map((key) => chunkOfOutput(key) ?? key)).size;
}

/** Every key below a prefix. */
export async function listKeys(place: Place, prefix: string): Promise<string[]> {
  const found: string[] = [];
  let token: string | undefined;
  do {
    const page = await place.s3.send(
      new ListObjectsV2Command({ Bucket: place.bucket, Prefix: prefix, ContinuationToken: token }),
    );
    found.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return found;
}

/** An object's bytes. */
export async function readBytes(place: Place, key: string): Promise<Uint8Array> {
  const object = await place.s3.send(new GetObjectCommand({ Bucket: place.bucket, Key: key }));
  return (await object.Body?.transformToByteArray()) ?? new Uint8Array();
}
