/** SageMaker's jobs of both kinds behind one face: describe, stop, tidy up. */
import {
  DeleteModelCommand,
  DescribeTrainingJobCommand,
  DescribeTransformJobCommand,
  StopTrainingJobCommand,
  StopTransformJobCommand,
} from '@aws-sdk/client-sagemaker';
import { usdFor } from '../../core/catalogue/cost.ts';
import { instance } from '../../core/catalogue/instances.ts';
import { parseFailure } from '../../core/errors.ts';
import {
  isMissing,
  isOver,
  type JobDescription,
  type Outcome,
  outcomeOf,
  transformOutcome,
} from '../../core/jobs/outcome.ts';
import type { JobRecord } from '../../core/jobs/records.ts';
import { chunkOfOutput, keys } from '../../core/keys.ts';
import { isTransformStage, type TransformStage } from '../../core/words.ts';
import { listKeys, readText } from './bucket.ts';
import { sagemaker } from './clients.ts';

/** SageMaker's own word on a job, or undefined when there is no such job. */
export async function describeJob(
  job: Pick<JobRecord, 'kind' | 'jobName'>,
): Promise<JobDescription | undefined> {
  try {
    return job.kind === 'training'
      ? await sagemaker().send(new DescribeTrainingJobCommand({ TrainingJobName: job.jobName }))
      : await sagemaker().send(new DescribeTransformJobCommand({ TransformJobName: job.jobName }));
  } catch (error) {
    if (isMissing(error as Error)) return undefined;
    throw error;
  }
}

/** What became of a job. */
export async function lookAt(job: JobRecord): Promise<Outcome> {
  const description = await describeJob(job);
  if (description === undefined) return { over: false, status: 'Missing' };
  const outcome = outcomeOf(description);
  if (!outcome.over || !isTransformStage(job.stage)) return outcome;
  const answered = await answeredChunks(job.runId, job.stage);
  const judged = transformOutcome(outcome, job.chunks ?? 0, answered.size);
  return judged.ok ? judged : inOwnWords(job, judged);
}

/** SageMaker says of a failed transform only where its log is; its container left the reason in a note. */
async function inOwnWords(job: JobRecord, outcome: Outcome & { over: true; ok: false }): Promise<Outcome> {
  const key = keys.failureNote(job.runId, job.jobName);
  if (outcome.error !== 'JobFailed' || (await listKeys(key, 1)).length === 0) return outcome;
  const { name, message } = parseFailure(await readText(key));
  return { ...outcome, error: name, message };
}

/** The chunks of a stage that some attempt has answered. */
export async function answeredChunks(runId: string, stage: TransformStage): Promise<Set<number>> {
  const outputs = await listKeys(keys.pictures(runId, stage));
  return new Set(outputs.map(chunkOfOutput).filter((chunk) => chunk !== undefined));
}

/** Asks SageMaker to stop a job; one that is over or gone needs no stopping. */
export async function stopJob(job: Pick<JobRecord, 'kind' | 'jobName'>): Promise<void> {
  try {
    if (job.kind === 'training') {
      await sagemaker().send(new StopTrainingJobCommand({ TrainingJobName: job.jobName }));
    } else {
      await sagemaker().send(new StopTransformJobCommand({ TransformJobName: job.jobName }));
    }
  } catch (error) {
    if (!isMissing(error as Error) && !isOver(error as Error)) throw error;
  }
}

/** A transform needs its model only while it runs. */
export async function deleteModelOf(job: Pick<JobRecord, 'kind' | 'jobName'>): Promise<void> {
  if (job.kind !== 'transform') return;
  try {
    await sagemaker().send(new DeleteModelCommand({ ModelName: job.jobName }));
  } catch (error) {
    if (!isMissing(error as Error)) throw error;
  }
}

/** What the table keeps of an outcome. */
export function endOf(job: JobRecord, outcome: Outcome & { over: true }) {
  const { seconds } = outcome;
  const bill = { seconds, usd: usdFor(seconds, instance(job.instanceType), job.instances) };
  return outcome.ok
    ? { state: 'SUCCEEDED' as const, ...bill }
    : { state: 'FAILED' as const, ...bill, error: outcome.error, message: outcome.message };
}
