/** The calls that SageMaker itself makes in the name of a job's role, in addition to the transfer of data. */
import { parseEcrImage } from '../../../core/plan/image.ts';
import type { Call } from '../../iam/authorizer.ts';

/** The service that assumes the roles of jobs and models. */
export const SAGEMAKER = 'sagemaker.amazonaws.com';

/** The calls that pull an image of ECR; none for an image of another registry. */
export function pullCalls(image: string | undefined): Call[] {
  const found = parseEcrImage(image ?? '');
  if (found === undefined) return [];
  const { account, region, repository } = found;
  const resource = `arn:aws:ecr:${region}:${account}:repository/${repository}`;
  return [
    { action: 'ecr:GetAuthorizationToken', resource: '*' },
    ...['BatchCheckLayerAvailability', 'BatchGetImage', 'GetDownloadUrlForLayer'].map((name) => ({
      action: `ecr:${name}`,
      resource,
    })),
  ];
}

export type JobKind = 'TrainingJobs' | 'TransformJobs';

/**
 * The calls that write the job's log. Logs authorizes calls on a group without a stream on an ARN that ends in
 * `:log-stream:`, as its denials show.
 */
export function logCalls(kind: JobKind, region: string, account: string, job: string): Call[] {
  const group = `arn:aws:logs:${region}:${account}:log-group:/aws/sagemaker/${kind}:log-stream:`;
  return [
    { action: 'logs:CreateLogGroup', resource: group },
    { action: 'logs:DescribeLogStreams', resource: group },
    { action: 'logs:CreateLogStream', resource: `${group}${job}/algo-1` },
    { action: 'logs:PutLogEvents', resource: `${group}${job}/algo-1` },
  ];
}

/** The call that writes the utilization of the job's instances. */
export function metricCalls(kind: JobKind): Call[] {
  const context = { 'cloudwatch:namespace': `/aws/sagemaker/${kind}` };
  return [{ action: 'cloudwatch:PutMetricData', resource: '*', context }];
}
