/** The outcome of a job, from SageMaker's description and, of one that draws, from the outputs in the bucket. */

import { usdFor } from '../core/catalogue/cost.ts';
import { instance } from '../core/catalogue/instances.ts';
import { parseFailure } from '../core/errors.ts';
import { type Outcome, outcomeOf, transformOutcome } from '../core/jobs/outcome.ts';
import type { JobRecord } from '../core/jobs/records.ts';
import { chunkOfOutput, keys } from '../core/keys.ts';
import { isTransformStage } from '../core/words.ts';
import { describeJob, type JobsContext } from './jobs.ts';
import { type BucketContext, exists, listKeys, readBeginning } from './s3.ts';

/** Bytes of a container's failure note that are read: more than its 1,024 characters, less than a cause may have. */
const LONGEST_NOTE = 16 * 1024;

type Over = Outcome & { over: true };

/** The outcome of a run's job now. */
export async function readOutcome(context: JobsContext & BucketContext, job: JobRecord): Promise<Outcome> {
  const description = await describeJob(context, job);
  if (description === undefined) return { over: false, status: 'Missing' };
  const outcome = outcomeOf(description);
  if (!outcome.over || !isTransformStage(job.stage)) return outcome;
  const prefix = keys.pictures(job.runId, job.stage);
  return outcomeByOutputs(context, job, outcome, { prefix, chunks: job.chunks ?? 0 });
}

/** The outcome of a job that draws: what counts are its outputs, and a failure has its container's own words. */
export async function outcomeByOutputs(
  context: BucketContext,
  job: Pick<JobRecord, 'runId' | 'jobName'>,
  outcome: Over,
  { prefix, chunks }: { readonly prefix: string; readonly chunks: number },
): Promise<Over> {
  const outputs = await outputsBelow(context, prefix);
  const result = transformOutcome(outcome, chunks, outputs.size);
  if (result.ok || result.error !== 'JobFailed') return result;
  // SageMaker's reason for a failed transform is only where its log is; the container stored its own reason.
  const note = keys.failureNote(job.runId, job.jobName);
  if (!(await exists(context, note))) return result;
  const { content } = await readBeginning(context, note, LONGEST_NOTE);
  const { name, message } = parseFailure(Buffer.from(content).toString());
  return { ...result, error: name, message };
}

/** Outputs below a prefix by chunk; of two attempts at one chunk, whose images are the same, the later one. */
export async function outputsBelow(context: BucketContext, prefix: string): Promise<Map<number, string>> {
  const outputs = new Map<number, string>();
  for (const key of await listKeys(context, prefix)) {
    const chunk = chunkOfOutput(key);
    if (chunk !== undefined) outputs.set(chunk, key);
  }
  return outputs;
}

/** The fields of a job's record that its outcome decides. */
export function recordOf(job: JobRecord, outcome: Over) {
  const bill = billOf(job, outcome.seconds);
  return outcome.ok
    ? { state: 'SUCCEEDED' as const, ...bill, ...(outcome.artifact && { artifact: outcome.artifact }) }
    : { state: 'FAILED' as const, ...bill, error: outcome.error, message: outcome.message };
}

/** Bill of a job at list prices, each of its instances for all of its seconds. */
export function billOf(
  { instanceType, instances }: Pick<JobRecord, 'instanceType' | 'instances'>,
  seconds: number,
): { seconds: number; usd: number } {
  return { seconds, usd: usdFor(seconds, instance(instanceType), instances) };
}
