/** A run with nearly all faults of a cloud: dropped events, interrupted instances, ended jobs. */
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
  JOB_PREFIX,
  jobsOf,
  listKeys,
  readText,
  SMALL,
  type TestCloud,
  until,
  untilOver,
  upload,
} from './pipeline.ts';

export async function expectSurvivesFaults(cloud: TestCloud): Promise<void> {
  const restore = cloud.local.faults.dropEvents(({ Resources: [arn] }) => arn?.includes('-learn-') ?? false);
  await upload(cloud, 'spot', {
    ...SMALL,
    ...CURATED,
    ...PAIRS.faults,
    synthesis: 'spot',
    advanced: {
      ...SMALL.advanced,
      ...CURATED.advanced,
      teach: { steps: TEACHING_STEPS, spot: true },
      // Two instances, and chunks that take long enough to be interrupted between two of them.
      synthesize: { picturesPerChunk: 1, instances: 2, steps: 60 },
    },
  });
  const [execution] = await until(async () => {
    const executions = await executionsOf(cloud, 'spot');
    return executions.length > 0 ? executions : undefined;
  });
  const started = execution?.name ?? '';
  await endTeachingTwice(cloud, started);
  const shards = `intermediates/${started}/pictures/synthesize/`;
  const synthesis = `${JOB_PREFIX}${started}-synthesize-a1`;
  await until(async () => logOf(cloud, synthesis).includes('chunk 1 of 2') || undefined, 20);
  await cloud.local.faults.interrupt(synthesis, 0);
  // Generated images are in the bucket before the job restarts.
  const dates = await until(async () => {
    const stored = (await listKeys(cloud, shards)).filter((key) => key.endsWith('.out'));
    return stored.length > 0 ? datesOf(cloud, stored) : undefined;
  });
  const run = await untilOver(cloud, 'spot');
  restore();
  expect(run).toMatchObject({ status: 'SUCCEEDED', error: undefined });
  expectPair((await readText(cloud, `runs/${run.name}/report/index.html`)) ?? '', PAIRS.faults);
  await expectSynthesizedOnSpot(cloud, synthesis, shards, dates);
  await expectTeachingResumed(cloud, run.name);
  await expectCurated(cloud, run.name);
}

/** Enough that both faults come long before the last step, on a machine that takes many steps between two looks at it. */
const TEACHING_STEPS = 200;

/** Reads the latest progress of the teacher's training. */
async function progressOf(cloud: TestCloud, run: string) {
  const text = await readText(cloud, `intermediates/${run}/checkpoints/teach/progress.json`);
  return text === undefined ? undefined : JSON.parse(text);
}

/** The job name of a teacher's training. */
const teaching = (run: string, attempt: number): string => `${JOB_PREFIX}${run}-teach-a${attempt}`;

/** Interrupts the spot instance of the training, and makes it exceed its time limit after the restart. */
async function endTeachingTwice(cloud: TestCloud, run: string): Promise<void> {
  await until(async () => ((await progressOf(cloud, run))?.step >= 12 ? true : undefined));
  // No grace period, the worst case of a spot interruption.
  await cloud.local.faults.interrupt(teaching(run, 1), 0);
  // The log shows a step at once, the bucket only after the next copy of the checkpoints.
  await until(async () => {
    const { from, after } = resumption(logOf(cloud, teaching(run, 1)));
    return [...after.matchAll(/training: step (\d+)/g)].some(([, step]) => Number(step) > from) || undefined;
  }, 20);
  await cloud.local.faults.exceedRuntime(teaching(run, 1));
}

/** Reads a training's log: the step from which it resumed, NaN before that, and the log after that. */
function resumption(log: string): { from: number; after: string } {
  const [, from, after = ''] = /resumed from the checkpoint of step (\d+)(.*)$/s.exec(log) ?? [];
  return { from: Number(from), after };
}

/** Checks that the interrupted job continued, and that the next attempt started from its last checkpoint. */
async function expectTeachingResumed(cloud: TestCloud, run: string): Promise<void> {
  const first = logOf(cloud, teaching(run, 1));
  const { from: interrupted, after } = resumption(first);
  // A quick process writes such a line when it is interrupted, too.
  const [, left] = /stopped by SIGTERM after step (\d+); its checkpoint is written/.exec(after) ?? [];
  expect(interrupted).toBeGreaterThanOrEqual(10);
  expect(Number(left)).toBeGreaterThan(interrupted);
  const { SecondaryStatusTransitions = [], ...described } = await cloud.sagemaker.send(
    new DescribeTrainingJobCommand({ TrainingJobName: teaching(run, 1) }),
  );
  expect(SecondaryStatusTransitions.map(({ Status }) => Status)).toEqual(
    expect.arrayContaining(['Interrupted', 'Restarting', 'MaxRuntimeExceeded']),
  );
  expect(described).toMatchObject({ TrainingJobStatus: 'Stopped', SecondaryStatus: 'MaxRuntimeExceeded' });
  const job = teaching(run, 2);
  expect(await progressOf(cloud, run)).toMatchObject({
    job,
    step: TEACHING_STEPS,
    total: TEACHING_STEPS,
    resumed_from: Number(left),
  });
  const attempts = Object.entries(await jobsOf(cloud, run)).filter(([name]) => name.includes('-teach-'));
  expect(Object.fromEntries(attempts)).toEqual({ [teaching(run, 1)]: 'Stopped', [job]: 'Completed' });
  const report = await metricsOf(cloud, run);
  expect(report.stages.find(({ stage }) => stage === 'teach')).toMatchObject({ attempts: 2 });
}

async function metricsOf(cloud: TestCloud, run: string) {
  return metricsSchema.parse(JSON.parse((await readText(cloud, `runs/${run}/report/metrics.json`)) ?? ''));
}

function logOf(cloud: TestCloud, job: string): string {
  const file = jobLogFile(join(cloud.local.dataDir, 'sagemaker'), job);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/**
 * Four proxies per round, three rounds at most. The first keeps too few; after the second any share of new images is
 * small enough, so the third is never generated.
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

async function expectCurated(cloud: TestCloud, run: string): Promise<void> {
  const curation = curationSchema.parse(
    JSON.parse((await readText(cloud, `runs/${run}/curation/curation.json`)) ?? ''),
  );
  expect(curation).toMatchObject({ round: 2, rounds: 3, drawn: 8, adaptive: { satisfied: true } });
  expect(curation.kept).toBeGreaterThanOrEqual(5);
  const jobs = Object.keys(await jobsOf(cloud, run)).map((name) => name.slice(`${JOB_PREFIX}${run}-`.length));
  const expectedJobs = ['synthesize-a1', 'synthesize-r2-a1', 'curate-a1', 'curate-r2-a1'];
  expect(jobs.filter((name) => /^(synthesize|curate)/.test(name)).sort()).toEqual(expectedJobs.sort());
  const page = (await readText(cloud, `runs/${run}/report/index.html`)) ?? '';
  expect(page).toContain(`${curation.kept} of 8 were kept`);
  expect(page).toContain('Generation ended after 8 of at most 12 proxies');
  const metrics = await metricsOf(cloud, run);
  expect(metrics.curation).toMatchObject({ drawn: 8, kept: curation.kept, rounds: 2, satisfied: true });
  expect(metrics.rows.find(({ name }) => name === 'proxies')?.pictures).toBe(curation.kept);
  expect(metrics.stages.find(({ stage }) => stage === 'curate')).toMatchObject({ attempts: 2 });
}

/** The modification times of objects. */
async function datesOf(
  cloud: TestCloud,
  keys: readonly string[],
): Promise<Record<string, number | undefined>> {
  const dates: Record<string, number | undefined> = {};
  for (const Key of keys) {
    const { LastModified } = await cloud.s3.send(new HeadObjectCommand({ Bucket: cloud.bucket, Key }));
    dates[Key] = LastModified?.getTime();
  }
  return dates;
}

/** Checks that the proxies are stored like those of a transform, and that those before the interruption were kept. */
async function expectSynthesizedOnSpot(
  cloud: TestCloud,
  job: string,
  shards: string,
  before: Record<string, number | undefined>,
): Promise<void> {
  const described = await cloud.sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: job }));
  expect(described).toMatchObject({ TrainingJobStatus: 'Completed', ResourceConfig: { InstanceCount: 2 } });
  expect(described.SecondaryStatusTransitions?.map(({ Status }) => Status)).toContain('Interrupted');
  const stored = (await listKeys(cloud, shards)).filter((key) => key.endsWith('.out'));
  expect(stored).toEqual(
    Array.from({ length: 8 }, (_, at) => `${shards}${at < 4 ? 'a1' : 'r2-a1'}/chunk-000${at}.json.out`),
  );
  expect(await datesOf(cloud, Object.keys(before))).toEqual(before);
}
