/** The base role of a SageMaker job: trust policy, logs, metrics and image. */
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { ArnFormat, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { JobImage } from './job-image.ts';
import { allow } from './permissions.ts';

/** The two kinds of jobs, named as in their log groups and metrics; an account has one of each. */
export type JobKind = 'TrainingJobs' | 'TransformJobs';

/** The log group of a kind of jobs, as SageMaker names it. */
export const jobLogGroup = (kind: JobKind): string => `/aws/sagemaker/${kind}`;

/** The ARN of a log group of the account with all of its streams. */
export function logGroupArn(stack: Stack, name: string): string {
  return stack.formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: `${name}:*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}

export interface SageMakerRoleProps {
  readonly description: string;
  readonly image: JobImage;
  /** The kinds of jobs that use the role. */
  readonly kinds: readonly JobKind[];
}

/** Creates a role without access to data, which the construct of the job adds. */
export function sageMakerRole(scope: Construct, id: string, props: SageMakerRoleProps): Role {
  const { description, image, kinds } = props;
  const stack = Stack.of(scope);
  const role = new Role(scope, id, {
    description,
    // Only on behalf of this account, against the confused deputy problem.
    assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
  });
  const groups = kinds.map(jobLogGroup);
  allow(role, {
    actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
    resources: groups.map((name) => logGroupArn(stack, name)),
    wildcards: 'SageMaker names a log stream after each job; the log group is fixed.',
  });
  allow(role, {
    actions: ['cloudwatch:PutMetricData'],
    resources: ['*'],
    conditions: { StringEquals: { 'cloudwatch:namespace': groups } },
    wildcards: 'cloudwatch:PutMetricData has no resource types; a condition limits the namespaces instead.',
  });
  image.repository.grantPull(role);
  return role;
}
