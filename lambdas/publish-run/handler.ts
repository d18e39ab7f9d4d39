/** The last stage: puts the report where the user looks for it, with times and costs, and notifies the user. */
import { tryToDeleteModels } from '../../lib/aws/job-endings.ts';
import { announceEnd } from '../../lib/aws/notifications.ts';
import { joinRun } from '../../lib/aws/run-executions.ts';
import { readPlan } from '../../lib/aws/runs.ts';
import {
  type BucketContext,
  copyObject,
  listKeys,
  listObjects,
  readText,
  writeObject,
} from '../../lib/aws/s3.ts';
import { finishRun, listJobs, readRun, type TableContext, updateRun } from '../../lib/aws/table.ts';
import { metrics as metricsSchema } from '../../lib/core/contract/metrics.ts';
import { names } from '../../lib/core/contract/names.ts';
import { artifactFolderOf } from '../../lib/core/jobs/artifacts.ts';
import type { ExecutionIdentity } from '../../lib/core/jobs/executions.ts';
import { successMail } from '../../lib/core/jobs/messages.ts';
import {
  fillJobs,
  fillStages,
  stageOutcomes,
  totalUsd,
  withStages,
} from '../../lib/core/jobs/report-stages.ts';
import { keys } from '../../lib/core/keys.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';
import { bucketContext, jobsContext, notificationsContext } from '../shared/context.ts';
import { tableContext } from '../shared/table.ts';

/** SageMaker uploads files without a content type; a browser needs one. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  csv: 'text/csv; charset=utf-8',
  css: 'text/css; charset=utf-8',
  png: 'image/png',
  jpg: 'image/jpeg',
  webp: 'image/webp',
  svg: 'image/svg+xml',
};

export interface PublishRunInput {
  readonly runId: string;
  /** The execution that publishes. @default - unknown */
  readonly execution?: ExecutionIdentity;
}

export async function handler({
  runId,
  execution,
}: PublishRunInput): Promise<{ runId: string; report: string; usd: number }> {
  const context = { ...bucketContext(), ...tableContext(), ...jobsContext() };
  await joinRun(context, runId, execution);
  const jobs = await listJobs(context, runId);
  await tryToDeleteModels(context, jobs);
  const evaluation = jobs.filter((job) => job.stage === 'evaluate' && job.state === 'SUCCEEDED').at(-1);
  if (evaluation === undefined) throw new Error(`run ${runId} is published before it was evaluated`);
  const from = artifactFolderOf(evaluation, context.bucket);
  const plan = await readPlan(context, runId);
  const outcomes = stageOutcomes(
    jobs,
    plan.stages.map(({ stage }) => stage),
  );
  const metrics = withStages(
    metricsSchema.parse(JSON.parse(await readText(context, `${from}${names.files.metrics}`))),
    outcomes,
  );

  await copyFiles(context, from, keys.report(runId));
  const text = JSON.stringify(metrics, null, 2);
  await writeObject(context, keys.metrics(runId), text, { contentType: 'application/json' });
  // The page comes last: whoever sees it finds everything it shows.
  const page = fillJobs(
    fillStages(await readText(context, `${from}${names.files.reportPage}`), outcomes),
    jobs,
  );
  await writeObject(context, keys.reportPage(runId), page, { contentType: contentType('.html') });

  await shareClassImages(context, plan);
  const report = `s3://${context.bucket}/${keys.reportPage(runId)}`;
  const usd = totalUsd(outcomes);
  const endedAt = new Date().toISOString();
  const finished = await finishRun(context, runId, { status: 'SUCCEEDED', endedAt, report, usd });
  // A run that was stopped at this very moment stays stopped, but its report is there.
  if (!finished) await updateRun(context, runId, { report, usd });
  await notify(context, runId, report, usd, metrics.verdict);
  return { runId, report, usd };
}

/**
 * Shares the class images that the teacher generated: they do not depend on the photos, so other runs may use them. Two
 * runs that share at once write the same images, each as one object, so that nobody reads a part. An archive that was
 * there before this run generated its own was of no use to it: a corrupt one is replaced.
 */
async function shareClassImages(context: BucketContext, { runId, stages }: Plan): Promise<void> {
  const teach = stages.find(({ stage }) => stage === 'teach');
  const prefix =
    teach?.kind === 'training' ? teach.optionalChannels?.[names.channels.classImages] : undefined;
  if (prefix === undefined) return;
  const [own] = await listObjects(context, keys.drawnClass(runId), 1);
  const [shared] = await listObjects(context, keys.classArchive(prefix), 1);
  if (own === undefined || (shared !== undefined && shared.written >= own.written)) return;
  await copyObject(context, own.key, keys.classArchive(prefix), 'application/x-tar');
}

async function copyFiles(context: BucketContext, from: string, to: string): Promise<void> {
  const rewritten = [`${from}${names.files.reportPage}`, `${from}${names.files.metrics}`];
  const files = (await listKeys(context, from)).filter((key) => !rewritten.includes(key));
  for (let at = 0; at < files.length; at += 16) {
    await Promise.all(
      files
        .slice(at, at + 16)
        .map((key) => copyObject(context, key, to + key.slice(from.length), contentType(key))),
    );
  }
}

function contentType(key: string): string {
  return CONTENT_TYPES[key.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream';
}

async function notify(
  context: TableContext,
  runId: string,
  report: string,
  usd: number,
  verdict: string,
): Promise<void> {
  const run = await readRun(context, runId);
  // A run that was stopped at the last moment is over, and end-run has notified the user.
  if (run?.status !== 'SUCCEEDED' || run.reported) return;
  const mail = successMail({ runId, subject: run.subject, report, usd, verdict });
  // Its error is ignored: the report exists, and the run has succeeded, whatever becomes of the mail.
  await announceEnd(
    { ...context, ...notificationsContext() },
    { runId, status: run.status, notify: run.notify },
    mail,
  );
}
