/** A model from the hub into the bucket of an account, by a job there: nothing goes through this machine. */
import type { AwsContext } from '../../aws/context.ts';
import { createTrainingJob, listJobsNamed, refusedJob, stopJob, waitForJob } from '../../aws/jobs.ts';
import { requireStoredModel } from '../../aws/models.ts';
import { readProgress } from '../../aws/runs.ts';
import { writeJson } from '../../aws/s3.ts';
import { PRICES_AS_OF } from '../../core/catalogue/instances.ts';
import type { Model } from '../../core/catalogue/models.ts';
import {
  importEstimate,
  importJobName,
  importJobRequest,
  importJobStem,
  orderFor,
} from '../../core/jobs/import-job.ts';
import { jobError, jobMessage } from '../../core/jobs/messages.ts';
import { keys } from '../../core/keys.ts';
import type { ModelManifest } from '../../core/models/manifest.ts';
import { dollars, duration, type Output } from '../output.ts';

/** Longest time between two checks. */
const SLOWEST_CHECK_MS = 10_000;

export interface JobImport {
  /** Commit, branch or tag. @default - null: the catalogue's */
  readonly revision: string | null;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Starts the job, or takes over one that runs already, and watches it to its end.
 * @throws the refusal or the failure of the job, under its own name; the signal's reason once it is aborted
 */
export async function importByJob(
  aws: AwsContext,
  row: Model,
  { revision, output, signal }: JobImport,
): Promise<ModelManifest> {
  const running = await runningJob(aws, row.id);
  if (running !== undefined) {
    output.say(`job ${running} is importing it already; it continues if you stop watching it here`);
    await untilOver(aws, running, output, signal);
    const manifest = await requireStoredModel(aws, row.id);
    if (isOfRevision(manifest, row, revision)) return manifest;
    output.say(`that was commit ${manifest.revision}, and another one is wanted`);
  }
  const jobName = await begin(aws, row, revision, output);
  output.say(`job ${jobName} is started`);
  try {
    await untilOver(aws, jobName, output, signal);
  } catch (error) {
    // The files that it has imported stay, and the next job continues; nothing would watch this one.
    if (signal.aborted) await stopJob(aws, { kind: 'training', jobName });
    throw error;
  }
  return requireStoredModel(aws, row.id);
}

/** Checks that the stored model is what the hub would give; a branch or tag may have changed, so only a commit counts. */
export function isOfRevision(manifest: ModelManifest, { hub }: Model, revision: string | null): boolean {
  const wanted = revision ?? hub?.revision ?? manifest.revision;
  return manifest.revision !== null && manifest.revision === wanted;
}

/** The job of a call in another terminal, or of one that was killed. */
async function runningJob(aws: AwsContext, id: string): Promise<string | undefined> {
  const stem = importJobStem(id, aws.output('JobPrefix'));
  const jobs = await listJobsNamed(aws, 'training', stem);
  // A run of a subject with such a name has jobs that begin alike and continue with their stage.
  return jobs.find(({ jobName, running }) => running && /^[0-9a-z]+$/.test(jobName.slice(stem.length)))
    ?.jobName;
}

async function begin(aws: AwsContext, row: Model, revision: string | null, output: Output): Promise<string> {
  const { minutes, usd, instanceType } = importEstimate(row);
  output.say(
    `${instanceType}, about ${duration(minutes * 60)} and ${dollars(usd)} at list prices of ${PRICES_AS_OF}`,
  );
  const order = orderFor(row, revision, { bucket: aws.bucket, secret: aws.output('TokenSecretName') });
  const name = importJobName(row.id, new Date(), aws.output('JobPrefix'));
  await writeJson(aws, keys.importRequestFile(name), order);
  const request = importJobRequest(name, order, {
    roleArn: aws.output('ImportRoleArn'),
    imageUri: aws.output('ImageUri'),
    endpoint: process.env.HF_ENDPOINT,
  });
  await createTrainingJob(aws, request).catch((cause) => {
    throw refusedJob(cause, 'import');
  });
  return name;
}

async function untilOver(
  aws: AwsContext,
  jobName: string,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const job = { kind: 'training', jobName } as const;
  let last = '';
  const outcome = await waitForJob(aws, job, {
    signal,
    slowest: SLOWEST_CHECK_MS,
    async unfinished({ status }, { SecondaryStatus }) {
      const line = (await progressLine(aws, jobName)) ?? `the job is at ${SecondaryStatus ?? status}`;
      if (line !== last) output.say(line);
      last = line;
    },
  });
  if (!outcome.ok) throw jobError(outcome.error, jobMessage(job, outcome.message, 'retry'));
  output.say(`imported in ${duration(outcome.seconds)}`);
}

async function progressLine(aws: AwsContext, name: string): Promise<string | undefined> {
  const progress = await readProgress(aws, keys.importProgressFile(name));
  return progress && `${progress.step}/${progress.total} ${progress.phase}`;
}
