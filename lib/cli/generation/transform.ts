/**
 * Drawing a planned generation: model and transform are made, watched, and taken away again whatever happens. What is
 * drawn already, by an earlier call or another terminal, is not drawn again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import {
  CreateModelCommand,
  CreateTransformJobCommand,
  DeleteModelCommand,
  DescribeTransformJobCommand,
  paginateListTransformJobs,
  StopTransformJobCommand,
} from '@aws-sdk/client-sagemaker';
import type { Place } from '../../aws/context.ts';
import { type ErrorName, parseFailure } from '../../core/errors.ts';
import { type Generation, generationDrawing, generationRecord } from '../../core/jobs/generation.ts';
import { jobError, jobMessage } from '../../core/jobs/messages.ts';
import {
  isMissing,
  isOver,
  isTaken,
  type Outcome,
  outcomeOf,
  refusal,
  transformOutcome,
} from '../../core/jobs/outcome.ts';
import { type Drawing, manifest, modelRequest, transformJobRequest } from '../../core/jobs/requests.ts';
import { chunkName, chunkOfOutput, keys } from '../../core/keys.ts';
import { requirePlanned } from '../../core/models/manifest.ts';
import { generationJobStem } from '../../core/names.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { instancesFor } from '../../core/plan/pricing.ts';
import { duration, type Output } from '../output.ts';
import { listKeys, readObject } from '../run-state.ts';

/** Looks come soon at first, as on one machine a few pictures take seconds; SageMaker is not to be asked often. */
const FIRST_LOOK_MS = 300;
const LAST_LOOK_MS = 5000;
const SLOWER = 1.3;
/** How long a stopped transform may take to end. */
const STOP_PATIENCE_MS = 40_000;

type Over = Outcome & { over: true };

/** What was drawn, and for how long an instance worked for it. */
export interface Drawn {
  /** Newest output of every chunk, in the chunks' order. */
  readonly shards: readonly string[];
  /** 0 when all was there already. */
  readonly seconds: number;
}

/**
 * Draws what no earlier call has drawn.
 * @throws what the job was refused for or failed of, under its own name; the signal's reason once it is aborted
 */
export async function draw(
  place: Place,
  plan: Plan,
  generation: Generation,
  output: Output,
  signal: AbortSignal,
): Promise<Drawn> {
  const there = await answered(place, plan, generation);
  const missing = generation.chunks.map(({ chunk }) => chunk).filter((chunk) => !there.has(chunk));
  if (missing.length === 0) {
    output.say('all of it was drawn before');
    return { shards: inOrder(there), seconds: 0 };
  }
  const { attempt, running } = await lastAttempt(place, plan, generation);
  const drawing = generationDrawing(plan, generation, running ? attempt : attempt + 1);
  const { name } = drawing;
  try {
    if (!running) await begin(place, plan, generation, drawing, missing, signal);
    const seconds = await untilDrawn(place, plan, generation, name, output, signal);
    return { shards: inOrder(await answered(place, plan, generation)), seconds };
  } catch (error) {
    // Nobody would watch it any more. What keeps it from being stopped must not hide why it was to be.
    await stop(place, name).catch(() => output.say(`${name} could not be stopped: look for it in SageMaker`));
    throw error;
  } finally {
    await deleteModel(place, name);
  }
}

/** Outputs by chunk; of two attempts at one chunk, which are the same pictures, the later. */
async function answered(place: Place, { runId }: Plan, { id }: Generation): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const key of await listKeys(place, keys.generatedPictures(runId, id))) {
    const chunk = chunkOfOutput(key);
    if (chunk !== undefined) found.set(chunk, key);
  }
  return found;
}

function inOrder(outputs: ReadonlyMap<number, string>): string[] {
  return [...outputs].sort(([a], [b]) => a - b).map(([, key]) => key);
}

async function begin(
  place: Place,
  plan: Plan,
  generation: Generation,
  drawing: Drawing,
  missing: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const model = plan.models[drawing.how.role];
  const manifestText = await readObject(place, keys.modelManifest(model.id));
  requirePlanned(model, `s3://${place.bucket}/${keys.model(model.id)}`, manifestText);
  await putInputs(place, plan, generation, drawing.name, missing);
  signal.throwIfAborted();
  const context = { roleArn: place.output('JobRoleArn'), imageUri: place.output('ImageUri') };
  const artifactUri = `s3://${plan.bucket}/${keys.artifact(plan.runId, generation.adapterJob)}`;
  const request = modelRequest(plan, drawing, { ...context, artifactUri });
  await creating(place.sagemaker.send(new CreateModelCommand(request)));
  const transform = transformJobRequest(plan, drawing, instancesFor(drawing.how, missing.length));
  await creating(place.sagemaker.send(new CreateTransformJobCommand(transform)));
}

/** The highest attempt that SageMaker knows, 0 when there is none. */
async function lastAttempt(place: Place, { runId }: Plan, { id }: Generation) {
  const stem = generationJobStem(runId, id);
  let last = { attempt: 0, running: false };
  for await (const page of paginateListTransformJobs(
    { client: place.sagemaker },
    { NameContains: stem, MaxResults: 100 },
  )) {
    for (const { TransformJobName: name = '', TransformJobStatus: status } of page.TransformJobSummaries ??
      []) {
      const attempt = Number(name.slice(stem.length));
      if (name.startsWith(stem) && attempt > last.attempt)
        last = { attempt, running: status === 'InProgress' };
    }
  }
  return last;
}

async function putInputs(
  place: Place,
  plan: Plan,
  generation: Generation,
  job: string,
  missing: readonly number[],
): Promise<void> {
  const { runId, bucket } = plan;
  const { id } = generation;
  const put = (Key: string, value: unknown) =>
    place.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: JSON.stringify(value) }));
  const chunks = keys.generationChunks(runId, id);
  await put(`${keys.generation(runId, id)}generation.json`, generationRecord(plan, generation));
  for (const chunk of generation.chunks) await put(chunks + chunkName(chunk.chunk), chunk);
  await put(keys.manifest(runId, job), manifest(bucket, chunks, missing.map(chunkName)));
}

async function creating(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (cause) {
    // Another terminal was faster by a moment.
    if (isTaken(cause as Error)) return;
    const { error, message } = refusal(cause as Error);
    throw jobError(error, `${message} What to do: ${REMEDIES[error] ?? REMEDIES.JobRefused}`);
  }
}

const REMEDIES: Partial<Record<ErrorName, string>> = {
  QuotaZero: 'ask for a quota for transform jobs on this instance type in the Service Quotas console.',
  QuotaBusy: 'wait for other jobs on this instance type to end, then call this again.',
  ServiceFault: 'call this again in a few minutes.',
  JobRefused: 'check that the stack is deployed whole and that you may create models and transform jobs.',
};

/** @returns the seconds that are billed */
async function untilDrawn(
  place: Place,
  plan: Plan,
  generation: Generation,
  name: string,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const outcome = await untilOver(place, generation, name, output, signal);
  const outputs = await answered(place, plan, generation);
  const judged = transformOutcome(outcome, generation.chunks.length, outputs.size);
  if (judged.ok) {
    output.say(`drawn in ${duration(judged.seconds)}`);
    return judged.seconds;
  }
  const { error, message } = await inOwnWords(place, plan, name, judged);
  throw jobError(error, jobMessage({ jobName: name, kind: 'transform' }, message, 'call this again'));
}

async function untilOver(
  place: Place,
  { how }: Generation,
  name: string,
  output: Output,
  signal: AbortSignal,
): Promise<Over> {
  let wait = FIRST_LOOK_MS;
  let told = false;
  for (;;) {
    signal.throwIfAborted();
    const outcome = await look(place, name);
    if (outcome.over) return outcome;
    if (!told && outcome.since !== undefined) output.say('an instance is at work');
    told ||= outcome.since !== undefined;
    if (Date.now() - (outcome.since?.getTime() ?? Date.now()) > how.maxRuntimeSeconds * 1000) {
      const message = `The pictures were not drawn within ${duration(how.maxRuntimeSeconds)}.`;
      throw jobError(
        'StageTimedOut',
        jobMessage({ jobName: name, kind: 'transform' }, message, 'call this again'),
      );
    }
    await sleep(wait, undefined, { signal }).catch(() => {});
    wait = Math.min(LAST_LOOK_MS, wait * SLOWER);
  }
}

async function look(place: Place, name: string): Promise<Outcome> {
  return outcomeOf(await place.sagemaker.send(new DescribeTransformJobCommand({ TransformJobName: name })));
}

/** SageMaker says of a failed transform only where its log is; its container left the reason in a note. */
async function inOwnWords(place: Place, { runId }: Plan, job: string, failed: Over & { ok: false }) {
  const note =
    failed.error === 'JobFailed' ? await readObject(place, keys.failureNote(runId, job)) : undefined;
  if (note === undefined) return failed;
  const { name, message } = parseFailure(note);
  return { error: name, message };
}

/** Stops a transform, if there is one, and waits a while for its end. */
async function stop(place: Place, name: string): Promise<void> {
  try {
    await place.sagemaker.send(new StopTransformJobCommand({ TransformJobName: name }));
  } catch (error) {
    if (isMissing(error as Error) || isOver(error as Error)) return;
    throw error;
  }
  const deadline = Date.now() + STOP_PATIENCE_MS;
  while (Date.now() < deadline && !(await look(place, name)).over) await sleep(FIRST_LOOK_MS);
}

async function deleteModel(place: Place, name: string): Promise<void> {
  try {
    await place.sagemaker.send(new DeleteModelCommand({ ModelName: name }));
  } catch (error) {
    if (!isMissing(error as Error)) throw error;
  }
}
