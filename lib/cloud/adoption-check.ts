/** Checks at deployment that an adopted bucket and table have what runs need. */

import { CustomResource, Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { type HandlerDefaults, HandlerFunction } from './handler-function.ts';
import { allow } from './permissions.ts';

export interface AdoptionCheckProps extends HandlerDefaults {
  /** @default - the bucket is not adopted */
  readonly bucketName?: string | undefined;
  /** @default - the table is not adopted */
  readonly tableName?: string | undefined;
  /** The product version: each one checks again. */
  readonly version: string;
}

export class AdoptionCheck extends Construct {
  constructor(scope: Construct, id: string, props: AdoptionCheckProps) {
    super(scope, id);
    const { bucketName, tableName, version, folders, logRetention, logRemoval } = props;
    const stack = Stack.of(this);
    const check = new HandlerFunction(this, 'CheckData', {
      folders,
      logRetention,
      logRemoval,
      name: 'check-data',
      description: 'checks that adopted data has what runs need',
      timeout: Duration.minutes(1),
      memoryMiB: 256,
      environment: {},
    });
    if (bucketName !== undefined) {
      allow(check, {
        // ListBucket is for HeadBucket.
        actions: [
          's3:ListBucket',
          's3:GetBucketVersioning',
          's3:GetBucketNotification',
          's3:GetBucketPublicAccessBlock',
          's3:GetEncryptionConfiguration',
          's3:GetLifecycleConfiguration',
        ],
        resources: [stack.formatArn({ service: 's3', region: '', account: '', resource: bucketName })],
      });
    }
    if (tableName !== undefined) {
      const resources = [
        stack.formatArn({ service: 'dynamodb', resource: 'table', resourceName: tableName }),
      ];
      allow(check, { actions: ['dynamodb:DescribeTable'], resources });
    }
    const result = new CustomResource(this, 'Result', {
      resourceType: 'Custom::ProxytuneDataCheck',
      serviceToken: check.lambda.functionArn,
      serviceTimeout: Duration.minutes(2),
      properties: {
        ...(bucketName === undefined ? {} : { BucketName: bucketName }),
        ...(tableName === undefined ? {} : { TableName: tableName }),
        Version: version,
      },
    });
    // Also the policy of its role.
    result.node.addDependency(check);
  }
}
