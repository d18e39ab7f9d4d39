/** A model from the hub into the bucket of an account, by a job there: nothing goes through this machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import {
  CreateTrainingJobCommand,
  DescribeTrainingJobCommand,
  ListTrainingJobsCommand,
  StopTrainingJobCommand,
} from '@aws-sdk/client-sagemaker';
import type { Place } from '../../aws/context.ts';
import { heldInBucket } from '../../aws/model-bucket.ts';
import { PRICES_AS_OF } from '../../core/catalogue/instances.ts';
import type { Model } from '../../core/catalogue/models.ts';
import { progress as progressSchema } from '../../core/contract/progress.ts';
import {
  importEstimate,
  importJobName,
  importJobRequest,
  importJobStem,
  orderFor,
} from '../../core/jobs/import-job.ts';
import { jobError, jobMessage } from '../../core/jobs/messages.ts';
import { isMissing, isOver, outcomeOf, refusal } from '../../core/jobs/outcome.ts';
import { keys } from '../../core/keys.ts';
import { type ModelManifest, requireModel } from '../../core/models/manifest.ts';
import { dollars, duration, type Output } from '../output.ts';
import { readObject } from '../run-state.ts';

/** As for other jobs: soon at first, as on one machine it takes seconds; SageMaker is not to be asked often. */
const FIRST_LOOK_MS = 300;
const LAST_LOOK_MS = 10_000;
const SLOWER = 1.3;

export interface JobImport {
  /** Commit, branch or tag. @default - null: the catalogue's */
  readonly revision: string | null;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Starts the job, or takes up one that runs already, and watches it to its end.
 * @throws what the job was refused for or failed of, under its own name; the signal's reason once it is aborted
 */
export async function importByJob(
  place: Place,
  row: Model,
  { revision, output, signal }: JobImport,
): Promise<ModelManifest> {
  const running = await runningJob(place, row.id);
  if (running !== undefined) {
    output.say(`job ${running} is at it already; it goes on if you stop watching it here`);
    await untilOver(place, running, output, signal);
    const manifest = requireModel(row.id, await heldInBucket(place, row.id));
    if (isOfRevision(manifest, row, revision)) return manifest;
    output.say(`that was commit ${manifest.revision}, and another one is wanted`);
  }
  const name = await begin(place, row, revision, output);
  output.say(`job ${name} is started`);
  try {
    await untilOver(place, name, output, signal);
  } catch (error) {
    // What it has brought stays, and the next job goes on; nobody would watch this one.
    if (signal.aborted) await stop(place, name);
    throw error;
  }
  return requireModel(row.id, await heldInBucket(place, row.id));
}

/** Whether what is there is what the hub would give; a branch or tag may have moved on, so only a commit tells. */
export function isOfRevision(manifest: ModelManifest, { hub }: Model, revision: string | null): boolean {
  const wanted = revision ?? hub?.revision ?? manifest.revision;
  return manifest.revision !== null && manifest.revision === wanted;
}

/** Of a call in another terminal, or one that was broken off hard. */
async function runningJob(place: Place, id: string): Promise<string | undefined> {
  const stem = importJobStem(id);
  const { TrainingJobSummaries = [] } = await place.sagemaker.send(
    new ListTrainingJobsCommand({ NameContains: stem, StatusEquals: 'InProgress', MaxResults: 100 }),
  );
  const names = TrainingJobSummaries.map(({ TrainingJobName = '' }) => TrainingJobName);
  // A run of a subject that is called so has jobs that begin alike and go on with their stage.
  return names.find((name) => name.startsWith(stem) && /^[0-9a-z]+$/.test(name.slice(stem.length)));
}

async function begin(place: Place, row: Model, revision: string | null, output: Output): Promise<string> {
  const { minutes, usd, instanceType } = importEstimate(row);
  output.say(
    `${instanceType}, about ${duration(minutes * 60)} and ${dollars(usd)} at list prices of ${PRICES_AS_OF}`,
  );
  const order = orderFor(row, revision, place.bucket);
  const name = importJobName(row.id, new Date());
  await place.s3.send(
    new PutObjectCommand({
      Bucket: place.bucket,
      Key: keys.importOrderFile(name),
      Body: JSON.stringify(order),
    }),
  );
  const request = importJobRequest(name, order, {
    roleArn: place.output('ImportRoleArn'),
    imageUri: place.output('ImageUri'),
    endpoint: process.env.HF_ENDPOINT,
  });
  try {
    await place.sagemaker.send(new CreateTrainingJobCommand(request));
  } catch (cause) {
    const { error, message } = refusal(cause as Error);
    throw jobError(error, `${message} What to do: ${REMEDY}`);
  }
  return name;
}

const REMEDY =
  'check that the stack is deployed whole, and that you may create training jobs and pass its import role; or bring a folder with --from.';

async function untilOver(place: Place, name: string, output: Output, signal: AbortSignal): Promise<void> {
  let wait = FIRST_LOOK_MS;
  let told = '';
  const tell = (line: string) => {
    if (line !== told) output.say(line);
    told = line;
  };
  for (;;) {
    signal.throwIfAborted();
    const job = await place.sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: name }));
    const outcome = outcomeOf(job);
    if (outcome.over && outcome.ok) return output.say(`brought in ${duration(outcome.seconds)}`);
    if (outcome.over) {
      const message = jobMessage({ jobName: name, kind: 'training' }, outcome.message, 'call this again');
      throw jobError(outcome.error, message);
    }
    tell((await progressLine(place, name)) ?? `the job is at ${job.SecondaryStatus ?? outcome.status}`);
    await sleep(wait, undefined, { signal }).catch(() => {});
    wait = Math.min(LAST_LOOK_MS, wait * SLOWER);
  }
}

async function progressLine(place: Place, name: string): Promise<string | undefined> {
  const text = await readObject(place, keys.importProgressFile(name));
  const read = progressSchema.safeParse(text === undefined ? undefined : JSON.parse(text));
  return read.success ? `${read.data.step}/${read.data.total} ${read.data.phase}` : undefined;
}

async function stop(place: Place, name: string): Promise<void> {
  try {
    await place.sagemaker.send(new StopTrainingJobCommand({ TrainingJobName: name }));
  } catch (error) {
    if (!isMissing(error as Error) && !isOver(error as Error)) throw error;
  }
}
