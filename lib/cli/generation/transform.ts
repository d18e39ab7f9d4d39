/**
 * Runs the transform of a planned generation: model and transform are created, watched, and taken away again whatever
 * happens. Images that exist already, from an earlier call or another terminal, are not generated again.
 */
import type { AwsContext } from '../../aws/context.ts';
import {
  createTransformJob,
  deleteModelOf,
  listJobsNamed,
  refusedJob,
  stopAndWait,
  waitForJob,
} from '../../aws/jobs.ts';
import { requirePlannedModel } from '../../aws/models.ts';
import { outcomeByOutputs, outputsBelow } from '../../aws/outcomes.ts';
import { type BucketContext, writeJson } from '../../aws/s3.ts';
import { type Generation, generationDrawing, generationRecord } from '../../core/jobs/generation.ts';
import { jobError, jobMessage } from '../../core/jobs/messages.ts';
import { type Drawing, manifest, modelRequest, transformJobRequest } from '../../core/jobs/requests.ts';
import { chunkName, keys } from '../../core/keys.ts';
import { generationJobStem } from '../../core/names.ts';
import { modelOfRole, type Plan } from '../../core/plan/plan.ts';
import { instancesFor } from '../../core/plan/pricing.ts';
import { duration, type Output } from '../output.ts';

/** Longest time between two checks: on one machine a few images take seconds. */
const SLOWEST_CHECK_MS = 5000;
/** How long a stopped transform may take to end. */
const STOP_PATIENCE_MS = 40_000;

/** The generated images, and for how long an instance worked for them. */
export interface Drawn {
  /** Newest output of every chunk, in the chunks' order. */
  readonly shards: readonly string[];
  /** 0 when all existed already. */
  readonly seconds: number;
}

/**
 * Generates what no earlier call has generated.
 * @throws the refusal or the failure of the job, under its own name; the signal's reason once it is aborted
 */
export async function draw(
  aws: AwsContext,
  plan: Plan,
  generation: Generation,
  output: Output,
  signal: AbortSignal,
): Promise<Drawn> {
  const pictures = keys.generatedPictures(plan.runId, generation.id);
  const outputs = await outputsBelow(aws, pictures);
  const missing = generation.chunks.map(({ chunk }) => chunk).filter((chunk) => !outputs.has(chunk));
  if (missing.length === 0) {
    output.say('all of it was generated before');
    return { shards: inOrder(outputs), seconds: 0 };
  }
  const { attempt, running } = await lastAttempt(aws, plan, generation);
  const drawing = generationDrawing(
    plan,
    generation,
    running ? attempt : attempt + 1,
    aws.output('JobPrefix'),
  );
  const job = { kind: 'transform', jobName: drawing.name } as const;
  try {
    if (!running) await begin(aws, plan, generation, drawing, missing, signal);
    const seconds = await untilDrawn(aws, plan, generation, job, output, signal);
    return { shards: inOrder(await outputsBelow(aws, pictures)), seconds };
  } catch (error) {
    // Nothing would watch it any more. A failure to stop it must not hide the reason for stopping it.
    await stopAndWait(aws, job, STOP_PATIENCE_MS).catch(() =>
      output.say(`${job.jobName} could not be stopped: look for it in SageMaker`),
    );
    throw error;
  } finally {
    await deleteModelOf(aws, job);
  }
}

function inOrder(outputs: ReadonlyMap<number, string>): string[] {
  return [...outputs].sort(([a], [b]) => a - b).map(([, key]) => key);
}

async function begin(
  aws: AwsContext,
  plan: Plan,
  generation: Generation,
  drawing: Drawing,
  missing: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  await requirePlannedModel(aws, modelOfRole(plan, drawing.how.role));
  await putInputs(aws, plan, generation, drawing.name, missing);
  signal.throwIfAborted();
  const context = {
    roleArn: aws.output('JobRoleArn'),
    imageUri: aws.output('ImageUri'),
    jobPrefix: aws.output('JobPrefix'),
  };
  const region = await aws.sagemaker.config.region();
  const model = modelRequest(plan, drawing, { ...context, artifactUri: generation.adapterUri, region });
  const transform = transformJobRequest(plan, drawing, instancesFor(drawing.how, missing.length));
  await createTransformJob(aws, model, transform).catch((cause) => {
    throw refusedJob(cause, 'command');
  });
}

/** The highest attempt that SageMaker knows, 0 when there is none. */
async function lastAttempt(aws: AwsContext, { runId }: Plan, { id }: Generation) {
  const stem = generationJobStem(runId, id, aws.output('JobPrefix'));
  let last = { attempt: 0, running: false };
  for (const { jobName, running } of await listJobsNamed(aws, 'transform', stem)) {
    const attempt = Number(jobName.slice(stem.length));
    if (attempt > last.attempt) last = { attempt, running };
  }
  return last;
}

async function putInputs(
  context: BucketContext,
  plan: Plan,
  generation: Generation,
  job: string,
  missing: readonly number[],
): Promise<void> {
  const { runId, bucket } = plan;
  const { id } = generation;
  const chunks = keys.generationChunks(runId, id);
  await writeJson(
    context,
    `${keys.generation(runId, id)}generation.json`,
    generationRecord(plan, generation),
  );
  for (const chunk of generation.chunks) await writeJson(context, chunks + chunkName(chunk.chunk), chunk);
  await writeJson(context, keys.manifest(runId, job), manifest(bucket, chunks, missing.map(chunkName)));
}

/** @returns the seconds that are billed */
async function untilDrawn(
  aws: AwsContext,
  { runId }: Plan,
  { id, chunks, how }: Generation,
  job: { readonly kind: 'transform'; readonly jobName: string },
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  let working = false;
  const ended = await waitForJob(aws, job, {
    signal,
    slowest: SLOWEST_CHECK_MS,
    unfinished({ since }) {
      if (since === undefined) return;
      if (!working) output.say('an instance is at work');
      working = true;
      if (Date.now() - since.getTime() <= how.maxRuntimeSeconds * 1000) return;
      const message = `The pictures were not drawn within ${duration(how.maxRuntimeSeconds)}.`;
      throw jobError('StageTimedOut', jobMessage(job, message, 'retry'));
    },
  });
  const prefix = keys.generatedPictures(runId, id);
  const outcome = await outcomeByOutputs(aws, { runId, ...job }, ended, { prefix, chunks: chunks.length });
  if (!outcome.ok) throw jobError(outcome.error, jobMessage(job, outcome.message, 'retry'));
  output.say(`drawn in ${duration(outcome.seconds)}`);
  return outcome.seconds;
}
