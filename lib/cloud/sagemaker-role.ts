/** What every role of a SageMaker job has: who may take it on, its logs, its metrics, and the image. */
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { JobImage } from './job-image.ts';
import { allow } from './permissions.ts';

/** The two kinds of jobs, as their log groups and metrics are called; SageMaker makes one of each for an account. */
export type JobKind = 'TrainingJobs' | 'TransformJobs';

export interface SageMakerRoleProps {
  readonly description: string;
  readonly image: JobImage;
  /** The kinds of jobs that the role is for. */
  readonly kinds: readonly JobKind[];
}

/** A role without any data; what a job may read and write is added by the construct it belongs to. */
export function sageMakerRole(scope: Construct, id: string, props: SageMakerRoleProps): Role {
  const { description, image, kinds } = props;
  const stack = Stack.of(scope);
  const role = new Role(scope, id, {
    description,
    // Only on behalf of this account: the service must not be talked into it by another one.
    assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
  });
  const groups = kinds.map((kind) => `/aws/sagemaker/${kind}`);
  role.addToPolicy(
    allow(
      ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      groups.map(
        (name) => `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:${name}:*`,
      ),
    ),
  );
  // PutMetricData has no resource to name; the namespace is the only fence there is.
  role.addToPolicy(
    allow(['cloudwatch:PutMetricData'], ['*'], { StringEquals: { 'cloudwatch:namespace': groups } }),
  );
  image.grantPull(role);
  return role;
}
