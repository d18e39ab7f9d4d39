/**
 * The stack of everything that is lost when it is deleted: the bucket, the table of runs, and the topic with its
 * confirmed subscriptions. The stack that computes can be destroyed and deployed again next to it (ADR 17).
 */

import { type ITable, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { CfnOutput, Fn, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { DataBucket } from './data-bucket.ts';
import { Notifications } from './notifications.ts';
import { RunTable } from './run-table.ts';
import type { Settings } from './settings.ts';

export interface DataStackProps {
  readonly settings: Settings;
  /** Product version, for the description. */
  readonly version: string;
}

/** The data as another stack refers to it. */
export interface DataReferences {
  readonly bucket: IBucket;
  readonly table: ITable;
  readonly topic: ITopic;
}

export class DataStack extends Stack {
  constructor(scope: Construct, id: string, { settings, version }: DataStackProps) {
    const production = settings.environment === 'production';
    super(scope, id, {
      description: `Proxytune ${version}: photos, models, reports and the records of runs`,
      terminationProtection: production,
      // No usage data leaves the account.
      analyticsReporting: false,
    });
    const { bucket } = new DataBucket(this, 'Data', { removable: settings.removeData && !production });
    const { table } = new RunTable(this, 'Runs', { retain: production });
    const { topic } = new Notifications(this, 'Notifications', { retain: production });
    this.addOutput('BucketName', bucket.bucketName, 'Photos in, reports out');
    this.addOutput('TableName', table.tableName, 'Runs and their jobs');
    this.addOutput('TopicArn', topic.topicArn, 'Notifies when a run ends');
  }

  /** Adds an output that the stack that computes reads; its key is part of the interface of the two stacks. */
  addOutput(key: string, value: string, description: string): void {
    new CfnOutput(this, key, { key, value, description });
  }

  /** The value of an output, resolved whenever a stack that refers to it is deployed. */
  output(key: string): string {
    return Fn.getStackOutput(this.stackName, key);
  }

  /**
   * Refers to the data by the outputs, which is a weak reference: nothing is exported, so that CloudFormation deletes,
   * replaces and adopts data without refusing because the other stack still refers to it.
   */
  referFrom(scope: Stack): DataReferences {
    scope.addStackDependency(this);
    return {
      bucket: Bucket.fromBucketName(scope, 'Data', this.output('BucketName')),
      table: Table.fromTableName(scope, 'Runs', this.output('TableName')),
      topic: Topic.fromTopicArn(scope, 'Topic', this.output('TopicArn')),
    };
  }
}
