/** The bucket, the table and the topic as the stack that computes refers to them, with what they grant to its roles. */

import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { allow } from './permissions.ts';

type ObjectAction = 'GetObject' | 'GetObjectVersion' | 'PutObject' | 'DeleteObject' | 'AbortMultipartUpload';

export class BucketAccess {
  readonly name: string;
  readonly #bucket: IBucket;

  constructor(bucket: IBucket) {
    this.#bucket = bucket;
    this.name = bucket.bucketName;
  }

  /** Allows listing below the prefixes that match a pattern only. */
  grantList(grantee: IGrantable, patterns: readonly string[]): void {
    allow(grantee, {
      actions: ['s3:ListBucket'],
      resources: [this.#bucket.bucketArn],
      conditions: { StringLike: { 's3:prefix': patterns } },
    });
  }

  /**
   * Allows actions on the objects whose keys match a pattern, such as the plan of every run.
   *
   * @param wildcards - what each `*` stands for
   */
  grantObjects(
    grantee: IGrantable,
    actions: readonly ObjectAction[],
    patterns: readonly string[],
    wildcards: string,
  ): void {
    allow(grantee, {
      actions: actions.map((action) => `s3:${action}`),
      resources: patterns.map((pattern) => this.#bucket.arnForObjects(pattern)),
      wildcards,
    });
  }
}

export class TableAccess {
  readonly name: string;
  readonly #table: ITable;

  constructor(table: ITable) {
    this.#table = table;
    this.name = table.tableName;
  }

  grant(grantee: IGrantable, ...actions: readonly ('GetItem' | 'Query' | 'PutItem' | 'UpdateItem')[]): void {
    allow(grantee, {
      actions: actions.map((action) => `dynamodb:${action}`),
      resources: [this.#table.tableArn],
    });
  }
}

export class TopicAccess {
  /** For alarms. */
  readonly topic: ITopic;
  readonly arn: string;

  constructor(topic: ITopic) {
    this.topic = topic;
    this.arn = topic.topicArn;
  }

  grantPublish(grantee: IGrantable): void {
    allow(grantee, { actions: ['sns:Publish'], resources: [this.arn] });
  }

  /** Allows subscribing email addresses, no other kind of subscriber. */
  grantSubscribeEmail(grantee: IGrantable): void {
    allow(grantee, {
      actions: ['sns:Subscribe'],
      resources: [this.arn],
      conditions: { StringEquals: { 'sns:Protocol': 'email' } },
    });
  }
}
