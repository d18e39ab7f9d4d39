/** Builders for policy statements. None allows a whole service or a resource of another product. */

import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { jobPrefix } from '../core/names.ts';

type Conditions = Record<string, Record<string, unknown>>;

export function allow(actions: string[], resources: string[], conditions?: Conditions): PolicyStatement {
  return new PolicyStatement({ actions, resources, ...(conditions === undefined ? {} : { conditions }) });
}

/** Allows listing below the prefixes that match a pattern only. */
export function listObjects(bucket: IBucket, patterns: string[]): PolicyStatement {
  return allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': patterns } });
}

/** Allows actions on the objects whose keys match a pattern, such as the plan of every run. */
export function onObjects(bucket: IBucket, actions: string[], patterns: string[]): PolicyStatement {
  return allow(
    actions,
    patterns.map((pattern) => bucket.arnForObjects(pattern)),
  );
}

export function onTable(
  table: ITable,
  actions: ('GetItem' | 'Query' | 'PutItem' | 'UpdateItem')[],
): PolicyStatement {
  return allow(
    actions.map((action) => `dynamodb:${action}`),
    [table.tableArn],
  );
}

/** ARN pattern of the stack's SageMaker resources: none of other products, and none of another stack of this one. */
export function ourSageMaker(scope: Construct, kind: 'training-job' | 'transform-job' | 'model'): string {
  const stack = Stack.of(scope);
  return stack.formatArn({
    service: 'sagemaker',
    resource: kind,
    resourceName: `${jobPrefix(stack.stackName)}*`,
  });
}
