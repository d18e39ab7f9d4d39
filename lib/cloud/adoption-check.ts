/** Checks at deployment that an adopted bucket and table have what runs need. */

import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { DeploymentLambda } from './deployment-lambda.ts';
import type { HandlerDefaults } from './handler-function.ts';
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
    const { bucketName, tableName, version, ...defaults } = props;
    const stack = Stack.of(this);
    const check = new DeploymentLambda(this, 'CheckData', {
      ...defaults,
      name: 'check-data',
      description: 'checks that adopted data has what runs need',
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
    check.call(this, 'Custom::ProxytuneDataCheck', {
      ...(bucketName === undefined ? {} : { BucketName: bucketName }),
      ...(tableName === undefined ? {} : { TableName: tableName }),
      Version: version,
    });
  }
}
