/** Operations on batch transform jobs. */
import { resourceInUse, validationError } from '../errors.ts';
import { TransformRun } from '../jobs/transform-run.ts';
import { modelIsOneContainer, transformLimits } from '../rules/local-limits.ts';
import { applyRules } from '../rules/rule.ts';
import { modelIsPacked, transformRules } from '../rules/transform.ts';
import { isTerminal, type TransformRecord } from '../state/records.ts';
import type { TransformRequest } from '../state/requests.ts';
import { parseLocation } from '../transfer/location.ts';
import { checkSource } from '../transfer/sources.ts';
import { type ListRequest, listPage } from './listing.ts';
import { modelNamed } from './models.ts';
import { requireTransformQuota } from './quota.ts';
import { arnOf, type Response, type ServiceContext, seconds } from './service-context.ts';

interface Named {
  readonly TransformJobName: string;
}

export async function createTransformJob(
  context: ServiceContext,
  request: TransformRequest,
): Promise<Response> {
  applyRules(transformRules, request);
  applyRules(transformLimits, request);
  const model = modelNamed(context, request.ModelName);
  applyRules([modelIsPacked, modelIsOneContainer], model.request);
  parseLocation(request.TransformOutput.S3OutputPath);
  const access = await context.roles.of(
    model.request.ExecutionRoleArn,
    arnOf(context, 'transform-job', request.TransformJobName),
  );
  await checkSource(access.objects, request.TransformInput.DataSource.S3DataSource, context.s3.region);
  // Checked last and without an await before the job is stored, so that only one of two equal calls creates a job.
  if (context.limitsFirst) requireTransformQuota(context, request);
  const existing = context.state.transformJobs.get(request.TransformJobName);
  if (existing) {
    throw resourceInUse(
      'Transform job names must be unique within an AWS account and region, and a transform job with this name ' +
        `already exists (${existing.arn})`,
    );
  }
  if (!context.limitsFirst) requireTransformQuota(context, request);
  const job = newRecord(context, request);
  context.state.transformJobs.put(job);
  context.events.transform(job);
  context.transformRuns.set(job.name, new TransformRun({ ...context, ...access }, job, model));
  return { TransformJobArn: job.arn };
}

function newRecord(context: ServiceContext, request: TransformRequest): TransformRecord {
  const now = Date.now();
  return {
    name: request.TransformJobName,
    arn: arnOf(context, 'transform-job', request.TransformJobName),
    request,
    status: 'InProgress',
    created: now,
    modified: now,
    tags: [...(request.Tags ?? [])],
  };
}

export function describeTransformJob(context: ServiceContext, { TransformJobName: name }: Named): Response {
  const job = findJob(context, name, 'Could not find requested job with name');
  return {
    ...job.request,
    TransformJobArn: job.arn,
    TransformJobStatus: job.status,
    FailureReason: job.failureReason,
    CreationTime: seconds(job.created),
    TransformStartTime: seconds(job.started),
    TransformEndTime: seconds(job.ended),
  };
}

export function stopTransformJob(context: ServiceContext, { TransformJobName: name }: Named): Response {
  const job = findJob(context, name, 'Could not find job to update with name');
  if (job.status === 'Stopping') return {};
  const run = context.transformRuns.get(name);
  if (isTerminal(job.status) || !run) {
    throw validationError(`The request was rejected because the transform job is in status ${job.status}.`);
  }
  run.stop();
  return {};
}

export function listTransformJobs(context: ServiceContext, request: ListRequest): Response {
  const { page, NextToken } = listPage(context.state.transformJobs.all(), request);
  return {
    TransformJobSummaries: page.map((job) => ({
      TransformJobName: job.name,
      TransformJobArn: job.arn,
      CreationTime: seconds(job.created),
      TransformEndTime: seconds(job.ended),
      LastModifiedTime: seconds(job.modified),
      TransformJobStatus: job.status,
      FailureReason: job.failureReason,
    })),
    NextToken,
  };
}

/** @throws ServiceError ValidationException, as with training jobs, not the declared ResourceNotFound */
function findJob(context: ServiceContext, name: string, message: string): TransformRecord {
  const job = context.state.transformJobs.get(name);
  if (!job) throw validationError(`${message}: ${name}`);
  return job;
}
