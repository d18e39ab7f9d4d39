/** The last stage: puts the report where the user looks for it, with what the run took, and tells the user. */
import { PublishCommand } from '@aws-sdk/client-sns';
import {
  copyObject,
  listKeys,
  listObjects,
  readPlan,
  readText,
  writeText,
} from '../../lib/aws/lambda/bucket.ts';
import { sns } from '../../lib/aws/lambda/clients.ts';
import { setting } from '../../lib/aws/lambda/environment.ts';
import { endRun, jobsOf, noteRun, readRun } from '../../lib/aws/lambda/table.ts';
import { metrics as metricsSchema } from '../../lib/core/contract/metrics.ts';
import { names } from '../../lib/core/contract/names.ts';
import { successMail } from '../../lib/core/jobs/messages.ts';
import {
  fillJobs,
  fillStages,
  stageOutcomes,
  totalUsd,
  withStages,
} from '../../lib/core/jobs/report-stages.ts';
import { keys } from '../../lib/core/keys.ts';
import { stageOf } from '../../lib/core/plan/plan.ts';

/** SageMaker uploads files without saying what they are; a browser wants to know. */
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

export async function handler({
  runId,
}: {
  runId: string;
}): Promise<{ runId: string; report: string; usd: number }> {
  const jobs = await jobsOf(runId);
  const evaluation = jobs.filter((job) => job.stage === 'evaluate' && job.state === 'SUCCEEDED').at(-1);
  if (evaluation === undefined) throw new Error(`run ${runId} is published before it was evaluated`);
  const from = keys.artifactFolder(runId, evaluation.jobName);
  const outcomes = stageOutcomes(jobs);
  const metrics = withStages(
    metricsSchema.parse(JSON.parse(await readText(`${from}${names.files.metrics}`))),
    outcomes,
  );

  await copyFiles(from, keys.report(runId));
  await writeText(keys.metrics(runId), JSON.stringify(metrics, null, 2), 'application/json');
  // The page comes last: whoever sees it finds everything it shows.
  const page = fillJobs(fillStages(await readText(`${from}${names.files.reportPage}`), outcomes), jobs);
  await writeText(keys.reportPage(runId), page, CONTENT_TYPES.html ?? '');

  await shareClassPictures(runId);
  const report = `s3://${setting('BUCKET')}/${keys.reportPage(runId)}`;
  const usd = totalUsd(outcomes);
  await endRun(runId, { status: 'SUCCEEDED', endedAt: new Date().toISOString(), report, usd });
  await notify(runId, report, usd, metrics.verdict);
  return { runId, report, usd };
}

/**
 * The pictures of the category that the teacher drew do not depend on the photos: other runs may use them. Two runs
 * that share at once write the same pictures, each as one object, so that nobody reads a part. What was there before
 * this run drew was of no use to it, or it would not have drawn: a spoilt archive does not stay.
 */
async function shareClassPictures(runId: string): Promise<void> {
  const teach = stageOf(await readPlan(runId), 'teach');
  const prefix = teach.kind === 'training' ? teach.optionalChannels?.[names.channels.classImages] : undefined;
  if (prefix === undefined) return;
  const [drawn] = await listObjects(keys.drawnClass(runId), 1);
  const [shared] = await listObjects(keys.classArchive(prefix), 1);
  if (drawn === undefined || (shared !== undefined && shared.written >= drawn.written)) return;
  await copyObject(drawn.key, keys.classArchive(prefix), 'application/x-tar');
}

async function copyFiles(from: string, to: string): Promise<void> {
  const rewritten = [`${from}${names.files.reportPage}`, `${from}${names.files.metrics}`];
  const files = (await listKeys(from)).filter((key) => !rewritten.includes(key));
  for (let at = 0; at < files.length; at += 16) {
    await Promise.all(
      files.slice(at, at + 16).map((key) => copyObject(key, to + key.slice(from.length), contentType(key))),
    );
  }
}

function contentType(key: string): string {
  return CONTENT_TYPES[key.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream';
}

async function notify(runId: string, report: string, usd: number, verdict: string): Promise<void> {
  const run = await readRun(runId);
  // One that was stopped at the last moment is over, and end-run says so.
  if (run?.status !== 'SUCCEEDED' || run.told) return;
  const mail = successMail({ runId, subject: run.subject, report, usd, verdict });
  await sns().send(
    new PublishCommand({
      TopicArn: setting('TOPIC_ARN'),
      Subject: mail.subject,
      Message: mail.text,
      MessageAttributes: {
        run: { DataType: 'String', StringValue: runId },
        status: { DataType: 'String', StringValue: 'SUCCEEDED' },
        ...(run.notify === undefined ? {} : { notify: { DataType: 'String', StringValue: run.notify } }),
      },
    }),
  );
  await noteRun(runId, { told: true });
}
