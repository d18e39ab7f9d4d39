/** Operations on training jobs. */
import { resourceInUse, validationError } from '../errors.ts';
import { setTrainingStatus } from '../jobs/training-record.ts';
import { TrainingRun } from '../jobs/training-run.ts';
import { trainingLimits } from '../rules/local-limits.ts';
import { applyRules } from '../rules/rule.ts';
import { trainingRules } from '../rules/training.ts';
import { isTerminal, type TrainingRecord } from '../state/records.ts';
import type { TrainingRequest } from '../state/requests.ts';
import { parseLocation } from '../transfer/location.ts';
import { checkSource } from '../transfer/sources.ts';
import { type ListRequest, listPage } from './listing.ts';
import { requireTrainingQuota } from './quota.ts';
import { arnOf, type Response, type ServiceContext, seconds } from './service-context.ts';

interface ListTrainingRequest extends ListRequest {
  readonly WarmPoolStatusEquals?: string;
  readonly TrainingPlanArnEquals?: string;
}

interface Named {
  readonly TrainingJobName: string;
}

export async function createTrainingJob(
  context: ServiceContext,
  request: TrainingRequest,
): Promise<Response> {
  applyRules(trainingRules, request);
  applyRules(trainingLimits, request);
  parseLocation(request.OutputDataConfig.S3OutputPath);
  if (request.CheckpointConfig) parseLocation(request.CheckpointConfig.S3Uri);
  const access = await context.roles.of(
    request.RoleArn,
    arnOf(context, 'training-job', request.TrainingJobName),
  );
  for (const channel of request.InputDataConfig ?? []) {
    const source = channel.DataSource.S3DataSource;
    if (source) await checkSource(access.objects, source, context.s3.region);
  }
  // Checked last and without an await before the job is stored, so that only one of two equal calls creates a job.
  if (context.limitsFirst) requireTrainingQuota(context, request);
  const existing = context.state.trainingJobs.get(request.TrainingJobName);
  if (existing) {
    throw resourceInUse(
      'Training job names must be unique within an AWS account and region, and a training job with this name ' +
        `already exists (${existing.arn})`,
    );
  }
  if (!context.limitsFirst) requireTrainingQuota(context, request);
  const job = newRecord(context, request);
  setTrainingStatus(context, job, 'Starting');
  context.trainingRuns.set(job.name, new TrainingRun({ ...context, ...access }, job));
  return { TrainingJobArn: job.arn };
}

function newRecord(context: ServiceContext, request: TrainingRequest): TrainingRecord {
  const now = Date.now();
  return {
    name: request.TrainingJobName,
    arn: arnOf(context, 'training-job', request.TrainingJobName),
    request,
    status: 'InProgress',
    secondary: 'Starting',
    transitions: [],
    created: now,
    modified: now,
    tags: [...(request.Tags ?? [])],
  };
}

export function describeTrainingJob(context: ServiceContext, { TrainingJobName: name }: Named): Response {
  const job = findJob(context, name);
  const resources = job.request.ResourceConfig;
  const preferred = resources.InstancePreferences?.[0];
  return {
    ...job.request,
    ...(preferred && {
      // This machine always has capacity for the first preference.
      ResourceConfig: {
        ...resources,
        SelectedInstanceType: preferred.InstanceType,
        SelectedInstanceCount: preferred.InstanceCount ?? 1,
      },
    }),
    TrainingJobArn: job.arn,
    TrainingJobStatus: job.status,
    SecondaryStatus: job.secondary,
    FailureReason: job.failureReason,
    ModelArtifacts: job.artifacts ? { S3ModelArtifacts: job.artifacts } : undefined,
    CreationTime: seconds(job.created),
    TrainingStartTime: seconds(job.started),
    TrainingEndTime: seconds(job.ended),
    LastModifiedTime: seconds(job.modified),
    SecondaryStatusTransitions: job.transitions.map((transition) => ({
      Status: transition.status,
      StartTime: seconds(transition.start),
      EndTime: seconds(transition.end),
      StatusMessage: transition.message,
    })),
    EnableNetworkIsolation: job.request.EnableNetworkIsolation ?? false,
    EnableManagedSpotTraining: job.request.EnableManagedSpotTraining ?? false,
    EnableInterContainerTrafficEncryption: job.request.EnableInterContainerTrafficEncryption ?? false,
    TrainingTimeInSeconds: job.trainingSeconds ?? job.billableSeconds,
    BillableTimeInSeconds: job.billableSeconds,
  };
}

export function stopTrainingJob(context: ServiceContext, { TrainingJobName: name }: Named): Response {
  const job = findJob(context, name);
  if (job.status === 'Stopping') return {};
  const run = context.trainingRuns.get(name);
  if (isTerminal(job.status) || !run) {
    throw validationError(`The request was rejected because the training job is in status ${job.status}.`);
  }
  run.stop();
  return {};
}

export function deleteTrainingJob(context: ServiceContext, { TrainingJobName: name }: Named): Response {
  const job = findJob(context, name);
  if (!isTerminal(job.status)) {
    throw resourceInUse(`Training job ${name} is in status ${job.status}; only ended jobs can be deleted.`);
  }
  context.state.trainingJobs.delete(name);
  return {};
}

export function listTrainingJobs(context: ServiceContext, request: ListTrainingRequest): Response {
  const { page, NextToken } = listPage(jobsOf(context, request), request);
  return {
    TrainingJobSummaries: page.map((job) => ({
      TrainingJobName: job.name,
      TrainingJobArn: job.arn,
      CreationTime: seconds(job.created),
      TrainingEndTime: seconds(job.ended),
      LastModifiedTime: seconds(job.modified),
      TrainingJobStatus: job.status,
      SecondaryStatus: job.secondary,
    })),
    NextToken,
  };
}

/** The jobs of a warm pool or training plan: none, as this service keeps no warm pools and refuses training plans. */
function jobsOf(context: ServiceContext, request: ListTrainingRequest): TrainingRecord[] {
  const elsewhere = request.WarmPoolStatusEquals ?? request.TrainingPlanArnEquals;
  return elsewhere === undefined ? context.state.trainingJobs.all() : [];
}

/**
 * @throws ServiceError ValidationException, as SageMaker does although it declares ResourceNotFound (aws/aws-sdk#165)
 */
function findJob(context: ServiceContext, name: string): TrainingRecord {
  const job = context.state.trainingJobs.get(name);
  if (!job) throw validationError('Requested resource not found.');
  return job;
}
