/**
 * `npm run load`: 115 uploads within 35 seconds to a fresh `proxytune local`. Every run is planned and its photos
 * are inspected; most have a photo that cannot be read and end there, the others go on to their first job. Fails if
 * an upload is lost or starts two runs, if a run ends otherwise, or if the local cloud needs 3 GB of memory or more.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ListTrainingJobsCommand, SageMakerClient } from '@aws-sdk/client-sagemaker';
import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { measureTree, type TreeMemory } from './process-tree.ts';
import { judge, type Started } from './verdict.ts';

const UPLOADS = 115;
const UPLOAD_SECONDS = 35;
/** Every so many uploads one has only good photos, and its run goes on to a job. */
const GOOD_EVERY = 23;
const MOST_BYTES = 3e9;
/** Runs wait for two functions at a time; on two cores the last one is over after some minutes. */
const MOST_MINUTES = 25;
const SAMPLE_MS = 500;
const ROOT = join(import.meta.dirname, '../..');
const PHOTOS = join(ROOT, 'examples/toy/photos');
const REQUEST = { category: 'toy', preset: 'draft', proxies: 12, consent: true };

interface Cloud {
  readonly environment: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

const photos = readdirSync(PHOTOS).map((name) => ({ name, body: readFileSync(join(PHOTOS, name)) }));
const expected = new Map(
  Array.from({ length: UPLOADS }, (_, index) => [
    `load-${index}`,
    index % GOOD_EVERY === 0 ? undefined : 'PhotosRejected',
  ]),
);

const dataDir = mkdtempSync(join(tmpdir(), 'proxytune-load-'));
const begun = Date.now();
const child = spawn(
  process.execPath,
  [join(ROOT, 'bin/proxytune.ts'), 'local', '--json', '--data', dataDir],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
let passed = false;
try {
  passed = await run(child);
} finally {
  child.kill('SIGINT');
  if (child.exitCode === null) await once(child, 'exit');
  if (passed) rmSync(dataDir, { recursive: true, force: true });
  else console.log(`The data folder stays: ${dataDir}`);
}
process.exitCode = passed ? 0 : 1;

async function run(local: ChildProcess): Promise<boolean> {
  const cloud = await untilReady(local);
  report('start', `${seconds(begun)} s`);
  const samples: TreeMemory[] = [];
  const timer = setInterval(() => samples.push(measureTree(local.pid ?? 0)), SAMPLE_MS);
  try {
    const started = Date.now();
    await uploadAll(cloud, started);
    report('uploads', `${UPLOADS} in ${seconds(started)} s`);
    const runs = await untilSettled(cloud, started);
    report('time', `${seconds(started)} s from the first upload until all runs had ended or had a job`);
    return printVerdict(runs, samples);
  } finally {
    clearInterval(timer);
  }
}

/** The first line of `proxytune local --json`. */
async function untilReady(local: ChildProcess): Promise<Cloud> {
  if (local.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: local.stdout })) {
    const { environment, outputs, message } = JSON.parse(line) as Cloud & { readonly message?: string };
    if (environment === undefined) throw new Error(message ?? line);
    return { environment, outputs };
  }
  throw new Error('`proxytune local` ended before it was ready');
}

function clientFor({ environment }: Cloud, service = '') {
  return {
    endpoint: environment[`AWS_ENDPOINT_URL${service}`] ?? '',
    region: environment.AWS_REGION ?? '',
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY ?? '',
    },
  };
}

/** Uploads at even intervals, however long one takes. */
async function uploadAll(cloud: Cloud, started: number): Promise<void> {
  const s3 = new S3Client({ ...clientFor(cloud), forcePathStyle: true });
  const put = (Key: string, Body: Buffer | string) =>
    s3.send(new PutObjectCommand({ Bucket: cloud.outputs.BucketName, Key, Body }));
  await Promise.all(
    [...expected].map(async ([subject, error], index) => {
      await sleep(Math.max(0, started + (index * UPLOAD_SECONDS * 1000) / UPLOADS - Date.now()));
      for (const { name, body } of photos) await put(`subjects/${subject}/photos/${name}`, body);
      if (error !== undefined) await put(`subjects/${subject}/photos/broken.jpg`, 'not a photo');
      await put(`subjects/${subject}/subject.json`, JSON.stringify(REQUEST));
    }),
  );
  s3.destroy();
}

/** Waits until every run has ended or has a job, then a little longer for what may come twice. */
async function untilSettled(cloud: Cloud, started: number): Promise<Started[]> {
  const sfn = new SFNClient(clientFor(cloud, '_SFN'));
  const sagemaker = new SageMakerClient(clientFor(cloud, '_SAGEMAKER'));
  for (let shown = ''; ; ) {
    await sleep(3000);
    const runs = await listRuns(sfn, cloud.outputs.StateMachineArn ?? '');
    const running = runs.filter(({ status }) => status === 'RUNNING').length;
    const jobs = (await sagemaker.send(new ListTrainingJobsCommand({ MaxResults: 100 }))).TrainingJobSummaries
      ?.length;
    const line = `${runs.length} runs, of which ${running} go on, with ${jobs} jobs`;
    if (line !== shown) report('now', line);
    shown = line;
    const settled = runs.length >= UPLOADS && running <= UPLOADS / GOOD_EVERY && jobs === running;
    const late = Date.now() - started > MOST_MINUTES * 60_000;
    if (settled || late) {
      await sleep(5000);
      return described(sfn, await listRuns(sfn, cloud.outputs.StateMachineArn ?? ''));
    }
  }
}

interface Listed {
  readonly name: string;
  readonly status: string;
  readonly arn: string;
}

async function listRuns(sfn: SFNClient, stateMachineArn: string): Promise<Listed[]> {
  const runs: Listed[] = [];
  for (let nextToken: string | undefined; ; ) {
    const page = await sfn.send(new ListExecutionsCommand({ stateMachineArn, nextToken, maxResults: 100 }));
    for (const { name = '', status = '', executionArn: arn = '' } of page.executions ?? [])
      runs.push({ name, status, arn });
    nextToken = page.nextToken;
    if (nextToken === undefined) return runs;
  }
}

async function described(sfn: SFNClient, runs: readonly Listed[]): Promise<Started[]> {
  const all: Started[] = [];
  for (const { name, status, arn } of runs) {
    const { error } = await sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
    all.push({ name, status, error });
  }
  return all;
}

function printVerdict(runs: readonly Started[], samples: readonly TreeMemory[]): boolean {
  const { lost, doubled, wrong } = judge(expected, runs);
  const peak = (of: (sample: TreeMemory) => number | undefined) =>
    Math.max(...samples.map((sample) => of(sample) ?? 0));
  const rss = peak((sample) => sample.rss);
  const pss = peak((sample) => sample.pss);
  report('runs started', String(runs.length));
  report('lost', named(lost));
  report('doubled', named(doubled));
  report('ended otherwise', named(wrong));
  report(
    'peak memory',
    `${(rss / 1e9).toFixed(2)} GB (RSS); ${pss === 0 ? 'unknown' : `${(pss / 1e9).toFixed(2)} GB`} (PSS)`,
  );
  report(
    'peak processes',
    `${peak((sample) => sample.processes)}, of which functions ${peak((sample) => sample.lambdas)}`,
  );
  // Where the system tells, shared pages count once: that is the memory which is really used.
  const good = lost.length + doubled.length + wrong.length === 0 && (pss || rss) < MOST_BYTES;
  report('result', good ? 'passed' : 'failed');
  return good;
}

function named(subjects: readonly string[]): string {
  return subjects.length === 0 ? '0' : `${subjects.length}: ${subjects.slice(0, 10).join(', ')}`;
}

function report(what: string, value: string): void {
  console.log(`${`${what}:`.padEnd(18)}${value}`);
}

function seconds(since: number): string {
  return ((Date.now() - since) / 1000).toFixed(0);
}
