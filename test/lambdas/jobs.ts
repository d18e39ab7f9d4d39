/** Jobs in the tests of the lambdas: as SageMaker describes them, and as the table records them. */
import {
  DescribeModelCommand,
  type DescribeTrainingJobResponse,
  type DescribeTransformJobResponse,
} from '@aws-sdk/client-sagemaker';
import { sagemaker } from '../../lib/aws/clients.ts';
import { describeJob } from '../../lib/aws/jobs.ts';
import { finishJob, listJobs, putJob, type TableContext } from '../../lib/aws/table.ts';
import { outcomeOf } from '../../lib/core/jobs/outcome.ts';
import type { JobRecord } from '../../lib/core/jobs/records.ts';
import { type JobIdentity, jobName } from '../../lib/core/names.ts';
import type { JobStage } from '../../lib/core/words.ts';
import { eventually } from '../local/emulator/helpers.ts';

/** Prefix of the names of jobs. That of a stack has its digest too; lambdas take any. */
export const JOB_PREFIX = 'proxytune-';

/** A job of either kind: a stage that generates images is a transform or, on spot, a training. */
async function describeEither(name: string) {
  const context = { sagemaker: sagemaker() };
  return (
    (await describeJob(context, { kind: 'training', jobName: name })) ??
    describeJob(context, { kind: 'transform', jobName: name })
  );
}

export async function jobEnd(name: string): Promise<void> {
  await eventually(async () => {
    const description = await describeEither(name);
    return description && outcomeOf(description).over ? true : undefined;
  }, 30);
}

export async function jobRuns(name: string): Promise<void> {
  await eventually(async () => {
    const description = await describeEither(name);
    const runs = description?.SecondaryStatus === 'Training' || description?.TransformStartTime;
    return runs ? true : undefined;
  }, 30);
}

export async function jobStatus(name: string): Promise<string | undefined> {
  const description = await describeEither(name);
  return description?.TrainingJobStatus ?? description?.TransformJobStatus;
}

/** How many instances SageMaker was asked for. */
export async function instancesOf(name: string): Promise<number | undefined> {
  const found = await describeEither(name);
  if (found === undefined) return undefined;
  const { ResourceConfig, TransformResources } = found as DescribeTrainingJobResponse &
    DescribeTransformJobResponse;
  return (ResourceConfig ?? TransformResources)?.InstanceCount;
}

export async function modelIsGone(ModelName: string): Promise<boolean> {
  return sagemaker()
    .send(new DescribeModelCommand({ ModelName }))
    .then(
      () => false,
      ({ message }: Error) => message.includes('Could not find model'),
    );
}

/** The records of a stage, oldest first. */
export async function jobsOfStage(
  context: TableContext,
  runId: string,
  stage: JobStage,
): Promise<JobRecord[]> {
  return (await listJobs(context, runId)).filter((job) => job.stage === stage);
}

/** Records a job that runs, as start-job does; SageMaker has none. @param facts - that differ from the usual */
export async function recordJob(
  context: TableContext,
  identity: JobIdentity,
  facts: Partial<JobRecord> = {},
): Promise<void> {
  const { run, stage, attempt, round } = identity;
  await putJob(context, identity, {
    runId: run,
    jobName: jobName(identity, JOB_PREFIX),
    stage,
    kind: facts.chunks === undefined ? 'training' : 'transform',
    attempt,
    ...(round === undefined ? {} : { round }),
    state: 'WAITING',
    token: 'old',
    reported: false,
    createdAt: new Date().toISOString(),
    instanceType: 'ml.m5.large',
    maxRuntimeSeconds: 3600,
    ...facts,
  });
}

/** Ends an attempt as complete-job or reconcile-job do for a failure. @param facts - that differ from the usual */
export async function failAttempt(
  context: TableContext,
  identity: JobIdentity,
  facts: Partial<JobRecord> = {},
): Promise<void> {
  const end = {
    state: 'FAILED',
    reported: true,
    seconds: 5,
    error: 'ChunksMissing',
    message: 'it broke',
  } as const;
  expect(await finishJob(context, identity, { ...end, ...facts })).toBe(true);
}
