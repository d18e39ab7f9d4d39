/** Empties a bucket when its stack is deleted, because CloudFormation refuses to delete one with objects. */

import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { DeploymentLambda } from './deployment-lambda.ts';
import type { HandlerDefaults } from './handler-function.ts';
import { allow } from './permissions.ts';

export interface EmptiedBucketProps extends HandlerDefaults {
  readonly bucket: Bucket;
}

export class EmptiedBucket extends Construct {
  constructor(scope: Construct, id: string, { bucket, ...defaults }: EmptiedBucketProps) {
    super(scope, id);
    const empty = new DeploymentLambda(this, 'EmptyBucket', {
      ...defaults,
      name: 'empty-bucket',
      description: 'empties the bucket when its stack is deleted',
      // The maximum of Lambda, for some hundred thousand objects. A deletion that takes longer fails, and is continued.
      timeout: Duration.minutes(15),
    });
    allow(empty, {
      actions: ['s3:ListBucketVersions', 's3:ListBucketMultipartUploads'],
      resources: [bucket.bucketArn],
    });
    allow(empty, {
      actions: ['s3:DeleteObjectVersion', 's3:AbortMultipartUpload'],
      resources: [bucket.arnForObjects('*')],
      wildcards: 'Everything in the bucket is deleted, old versions included.',
    });
    const stack = Stack.of(this);
    allow(empty, {
      actions: ['cloudformation:DescribeStacks'],
      resources: [
        stack.formatArn({
          service: 'cloudformation',
          resource: 'stack',
          resourceName: `${stack.stackName}/*`,
        }),
      ],
      wildcards: 'CloudFormation ends the ARN of a stack with an id.',
    });
    const result = empty.call(this, 'Custom::ProxytuneEmptiedBucket', { BucketName: bucket.bucketName });
    // So that it is deleted before the policy that lets only encrypted requests in, and the bucket.
    result.node.addDependency(bucket);
  }
}
