/** A run to which nearly everything happens that a cloud does: it loses events, takes instances away, ends jobs. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { DescribeTrainingJobCommand } from '@aws-sdk/client-sagemaker';
import { curation as curationSchema } from '../../lib/core/contract/curation.ts';
import { metrics as metricsSchema } from '../../lib/core/contract/metrics.ts';
import { jobLogFile } from '../../lib/local/sagemaker/index.ts';
import { expectPair, PAIRS } from './pairs.ts';
import {
  executionsOf,
  jobsOf,
  listKeys,
  type Road,
  readText,
  SMALL,
  until,
  untilOver,
  upload,
} from './pipeline.ts';

export async function expectTroublesSurvived(road: Road): Promise<void> {
  const restore = road.cloud.faults.dropEvents(({ Resources: [arn] }) => arn?.includes('-learn-') ?? false);
  await upload(road, 'spot', {
    ...SMALL,
    ...CURATED,
    ...PAIRS.troubled,
    synthesis: 'spot',
    advanced: {
      ...SMALL.advanced,
      ...CURATED.advanced,
      teach: { steps: 60, spot: true },
      // Two instances, and chunks that take long enough to be cut off between two of them.
      synthesize: { picturesPerChunk: 1, instances: 2, steps: 60 },
    },
  });
  const [execution] = await until(async () => {
    const found = await executionsOf(road, 'spot');
    return found.length > 0 ? found : undefined;
  });
  const started = execution?.name ?? '';
  await endTeachingTwice(road, started);
  const shards = `runs/${started}/pictures/synthesize/`;
  const drawing = `proxytune-${started}-synthesize-a1`;
  await until(async () => logOf(road, drawing).includes('chunk 1 of 2') || undefined, 20);
  await road.cloud.faults.interrupt(drawing, 0);
  // What was drawn is in the bucket before the job starts again.
  const dates = await until(async () => {
    const drawn = (await listKeys(road, shards)).filter((key) => key.endsWith('.out'));
    return drawn.length > 0 ? datesOf(road, drawn) : undefined;
  });
  const run = await untilOver(road, 'spot');
  restore();
  expect(run).toMatchObject({ status: 'SUCCEEDED', error: undefined });
  expectPair((await readText(road, `runs/${run.name}/report/index.html`)) ?? '', PAIRS.troubled);
  await expectDrawnOnSpot(road, drawing, shards, dates);
  await expectTeachingResumed(road, run.name);
  await expectCurated(road, run.name);
}

/** What the teacher's training said last of itself. */
async function progressOf(road: Road, run: string) {
  const text = await readText(road, `runs/${run}/checkpoints/teach/progress.json`);
  return text === undefined ? undefined : JSON.parse(text);
}

/** The name of a teacher's training. */
const teaching = (run: string, attempt: number): string => `proxytune-${run}-teach-a${attempt}`;

/** First its spot instance is taken, and when it teaches again its time is over. */
async function endTeachingTwice(road: Road, run: string): Promise<void> {
  await until(async () => ((await progressOf(road, run))?.step >= 12 ? true : undefined));
  // No grace at all: what is lost is what spot may take.
  await road.cloud.faults.interrupt(teaching(run, 1), 0);
  await until(async () => {
    const { step, resumed_from: from } = (await progressOf(road, run)) ?? {};
    return from !== null && step > from + 1 ? true : undefined;
  });
  await road.cloud.faults.exceedRuntime(teaching(run, 1));
}

/** The job that was interrupted went on; out of time it left a checkpoint, with which the next one began. */
async function expectTeachingResumed(road: Road, run: string): Promise<void> {
  const first = logOf(road, teaching(run, 1));
  const [, interrupted] = /resumed from the checkpoint of step (\d+)/.exec(first) ?? [];
  const [, left] = /stopped by SIGTERM after step (\d+); its checkpoint is written/.exec(first) ?? [];
  expect(Number(interrupted)).toBeGreaterThanOrEqual(10);
  expect(Number(left)).toBeGreaterThan(Number(interrupted));
  const { SecondaryStatusTransitions = [], ...described } = await road.sagemaker.send(
    new DescribeTrainingJobCommand({ TrainingJobName: teaching(run, 1) }),
  );
  expect(SecondaryStatusTransitions.map(({ Status }) => Status)).toEqual(
    expect.arrayContaining(['Interrupted', 'Restarting', 'MaxRuntimeExceeded']),
  );
  expect(described).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' });
  const job = teaching(run, 2);
  expect(await progressOf(road, run)).toMatchObject({ job, step: 60, total: 60, resumed_from: Number(left) });
  const attempts = Object.entries(await jobsOf(road, run)).filter(([name]) => name.includes('-teach-'));
  expect(Object.fromEntries(attempts)).toEqual({ [teaching(run, 1)]: 'Stopped', [job]: 'Completed' });
  const report = await metricsOf(road, run);
  expect(report.stages.find(({ stage }) => stage === 'teach')).toMatchObject({ attempts: 2 });
}

async function metricsOf(road: Road, run: string) {
  return metricsSchema.parse(JSON.parse((await readText(road, `runs/${run}/report/metrics.json`)) ?? ''));
}

function logOf(road: Road, job: string): string {
  const file = jobLogFile(join(road.cloud.dataDir, 'sagemaker'), job);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/**
 * Four proxies a round, three rounds at most. The first leaves too few; after the second any share of new pictures is
 * little enough, so that the third is never drawn.
 */
const CURATED = {
  curation: true,
  adaptiveProxies: true,
  advanced: {
    curate: {
      fidelity: 0,
      prompt: 0,
      duplicates: 0,
      safety: 1,
      minimum: 5,
      rounds: 3,
      reach: 1,
      newShare: 1,
      drift: 1,
    },
  },
};

async function expectCurated(road: Road, run: string): Promise<void> {
  const found = curationSchema.parse(
    JSON.parse((await readText(road, `runs/${run}/curation/curation.json`)) ?? ''),
  );
  expect(found).toMatchObject({ round: 2, rounds: 3, drawn: 8, adaptive: { satisfied: true } });
  expect(found.kept).toBeGreaterThanOrEqual(5);
  const jobs = Object.keys(await jobsOf(road, run)).map((name) => name.slice(`proxytune-${run}-`.length));
  const drawnAndMeasured = ['synthesize-a1', 'synthesize-r2-a1', 'curate-a1', 'curate-r2-a1'];
  expect(jobs.filter((name) => /^(synthesize|curate)/.test(name)).sort()).toEqual(drawnAndMeasured.sort());
  const page = (await readText(road, `runs/${run}/report/index.html`)) ?? '';
  expect(page).toContain(`${found.kept} of 8 were kept`);
  expect(page).toContain('Drawing ended after 8 of at most 12 proxies');
  const metrics = await metricsOf(road, run);
  expect(metrics.curation).toMatchObject({ drawn: 8, kept: found.kept, rounds: 2, satisfied: true });
  expect(metrics.rows.find(({ name }) => name === 'proxies')?.pictures).toBe(found.kept);
  expect(metrics.stages.find(({ stage }) => stage === 'curate')).toMatchObject({ attempts: 2 });
}

/** When objects were written. */
async function datesOf(road: Road, keys: readonly string[]): Promise<Record<string, number | undefined>> {
  const found: Record<string, number | undefined> = {};
  for (const Key of keys) {
    const { LastModified } = await road.s3.send(new HeadObjectCommand({ Bucket: road.bucket, Key }));
    found[Key] = LastModified?.getTime();
  }
  return found;
}

/** The proxies lie where and as a transform would have put them, and what was drawn before the stop was kept. */
async function expectDrawnOnSpot(
  road: Road,
  job: string,
  shards: string,
  before: Record<string, number | undefined>,
): Promise<void> {
  const described = await road.sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: job }));
  expect(described).toMatchObject({ TrainingJobStatus: 'Completed', ResourceConfig: { InstanceCount: 2 } });
  expect(described.SecondaryStatusTransitions?.map(({ Status }) => Status)).toContain('Interrupted');
  const drawn = (await listKeys(road, shards)).filter((key) => key.endsWith('.out'));
  expect(drawn).toEqual(
    Array.from({ length: 8 }, (_, at) => `${shards}${at < 4 ? 'a1' : 'r2-a1'}/chunk-000${at}.json.out`),
  );
  expect(await datesOf(road, Object.keys(before))).toEqual(before);
}
