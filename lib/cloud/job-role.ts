/**
 * The role that SageMaker's jobs run under. A job reads the base models, the class pictures that runs share, and what
 * its run has made so far, and writes where jobs write. It can neither read the photos as they were uploaded nor touch
 * requests, plans or reports.
 */

import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { JobImage } from './job-image.ts';
import { allow, listObjects, onObjects } from './permissions.ts';

export interface JobRoleProps {
  readonly bucket: Bucket;
  readonly image: JobImage;
}

/** Log groups and metrics of SageMaker's two kinds of jobs; it makes them itself, one for the whole account. */
const JOB_LOGS = ['/aws/sagemaker/TrainingJobs', '/aws/sagemaker/TransformJobs'];

export class JobRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { bucket, image }: JobRoleProps) {
    super(scope, id);
    const stack = Stack.of(this);
    this.role = new Role(this, 'Resource', {
      description: 'Proxytune: what a SageMaker job may do',
      // Only on behalf of this account: the service must not be talked into it by another one.
      assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
      }),
    });
    this.allowData(bucket);
    this.allowLogs(stack);
    image.grantPull(this.role);
  }

  private allowData(bucket: Bucket): void {
    this.role.addToPolicy(listObjects(bucket, ['models/*', 'runs/*', 'class-pictures/*']));
    this.role.addToPolicy(onObjects(bucket, ['s3:GetObject'], ['models/*', 'runs/*', 'class-pictures/*']));
    const written = [
      'runs/*/jobs/*',
      'runs/*/checkpoints/*',
      'runs/*/pictures/*',
      // Pictures of prompts that came after the run; what was asked for lies beside them and is not the job's to write.
      'runs/*/generated/*/pictures/*',
      'runs/*/failures/*',
    ];
    this.role.addToPolicy(onObjects(bucket, ['s3:PutObject', 's3:AbortMultipartUpload'], written));
    // SageMaker mirrors the checkpoint folder, and so also what the container deletes in it.
    this.role.addToPolicy(onObjects(bucket, ['s3:DeleteObject'], ['runs/*/checkpoints/*']));
  }

  private allowLogs(stack: Stack): void {
    this.role.addToPolicy(
      allow(
        ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
        JOB_LOGS.map(
          (name) => `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:${name}:*`,
        ),
      ),
    );
    this.role.addToPolicy(
      // PutMetricData has no resource to name; the namespace is the only fence there is.
      allow(['cloudwatch:PutMetricData'], ['*'], { StringEquals: { 'cloudwatch:namespace': JOB_LOGS } }),
    );
  }
}
