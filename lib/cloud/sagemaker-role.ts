/** The base role of a SageMaker job: trust policy, logs, metrics and image. */
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { JobImage } from './job-image.ts';
import { allow } from './permissions.ts';

/** The two kinds of jobs, named as in their log groups and metrics; an account has one of each. */
export type JobKind = 'TrainingJobs' | 'TransformJobs';

/** The log group of a kind of jobs, as SageMaker names it. */
export const jobLogGroup = (kind: JobKind): string => `/aws/sagemaker/${kind}`;

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
  role.addToPolicy(
    allow(
      ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      groups.map(
        (name) => `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:${name}:*`,
      ),
    ),
  );
  // PutMetricData has no resource types; only the namespace can be limited.
  role.addToPolicy(
    allow(['cloudwatch:PutMetricData'], ['*'], { StringEquals: { 'cloudwatch:namespace': groups } }),
  );
  image.repository.grantPull(role);
  return role;
}
