/**
 * The stack of everything that is lost when it is deleted: the bucket, the table of runs, and the topic with its
 * confirmed subscriptions. It has the image's repository too, because an image has to be pushed before anything that
 * runs it is deployed. The stack that computes can be destroyed and deployed again next to it (ADR 17).
 */

import { Table } from 'aws-cdk-lib/aws-dynamodb';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { CfnOutput, Fn, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { AdoptionCheck } from './adoption-check.ts';
import type { LambdaBundles } from './bundle-lambdas.ts';
import { BucketAccess, TableAccess, TopicAccess } from './data-access.ts';
import { DataBucket } from './data-bucket.ts';
import { logSettings } from './handler-function.ts';
import { ImageRepository } from './image-repository.ts';
import { Notifications } from './notifications.ts';
import { RunTable } from './run-table.ts';
import type { Settings } from './settings.ts';

export interface DataStackProps {
  readonly settings: Settings;
  /** The lambda bundles, built for the settings' target. */
  readonly folders: LambdaBundles['folders'];
  /** Product version, for the description. */
  readonly version: string;
}

/** The data as another stack refers to it. */
export interface DataReferences {
  readonly bucket: BucketAccess;
  readonly table: TableAccess;
  readonly topic: TopicAccess;
}

export class DataStack extends Stack {
  readonly #adopted: Pick<Settings, 'bucketName' | 'tableName'>;

  constructor(scope: Construct, id: string, { settings, folders, version }: DataStackProps) {
    const production = settings.environment === 'production';
    super(scope, id, {
      description: `Proxytune ${version}: photos, models, reports and the records of runs`,
      terminationProtection: production,
      // No usage data leaves the account.
      analyticsReporting: false,
    });
    const { bucketName, tableName } = settings;
    const logs = logSettings(settings);
    const data = new DataBucket(this, 'Data', {
      emptied: settings.removeData && !production ? { ...logs, folders } : undefined,
      adopt: bucketName,
      intermediatesDays: settings.intermediatesDays,
    });
    const runs = new RunTable(this, 'Runs', { retain: production, adopt: tableName });
    this.#adopted = { bucketName, tableName };
    if (bucketName !== undefined || tableName !== undefined) {
      new AdoptionCheck(this, 'Adoption', { ...logs, folders, bucketName, tableName, version });
    }
    const { topic } = new Notifications(this, 'Notifications', { retain: production });
    new ImageRepository(this, 'Images', { deployment: settings.name });
    this.addOutput('BucketName', data.bucketName, 'Photos in, reports out');
    this.addOutput('TableName', runs.tableName, 'Runs and their jobs');
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
   * replaces and adopts data without refusing because the other stack still refers to it. What is adopted is known
   * by name, so that a change of the name changes the other template too.
   */
  referFrom(scope: Stack): DataReferences {
    scope.addStackDependency(this);
    const { bucketName = this.output('BucketName'), tableName = this.output('TableName') } = this.#adopted;
    return {
      bucket: new BucketAccess(Bucket.fromBucketName(scope, 'Data', bucketName)),
      table: new TableAccess(Table.fromTableName(scope, 'Runs', tableName)),
      topic: new TopicAccess(Topic.fromTopicArn(scope, 'Topic', this.output('TopicArn'))),
    };
  }
}
