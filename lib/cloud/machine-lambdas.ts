/** The lambdas that the state machine invokes. None may know the machine: its definition already knows them. */

import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { type HandlerDefaults, HandlerFunction, type HandlerFunctionProps } from './handler-function.ts';
import { createJobs, deleteModels, describeJobs, stopJobs } from './job-permissions.ts';
import { allow, listObjects, onObjects, onTable } from './permissions.ts';

export interface MachineLambdasProps extends HandlerDefaults {
  readonly bucket: Bucket;
  readonly table: Table;
  readonly topic: ITopic;
  readonly jobRole: IRole;
  readonly imageUri: string;
  readonly instanceTypes: readonly string[];
  readonly models: 'full' | 'tiny';
  /** Whether lambdas run on the machine that models may be linked on, and can see their files. */
  readonly linkedModels: boolean;
  /** Version of the product, for the records of its runs. */
  readonly version: string;
  /** Where events go that end-run could not deal with. */
  readonly failures: IQueue;
}

type Own = Omit<HandlerFunctionProps, keyof HandlerDefaults>;

export class MachineLambdas extends Construct {
  readonly planRun: HandlerFunction;
  readonly inspectPhotos: HandlerFunction;
  readonly startJob: HandlerFunction;
  readonly reconcileJob: HandlerFunction;
  readonly decideRound: HandlerFunction;
  readonly endRun: HandlerFunction;
  readonly publishRun: HandlerFunction;

  constructor(scope: Construct, id: string, props: MachineLambdasProps) {
    super(scope, id);
    const { folders, logRetention, logRemoval } = props;
    const make = (childId: string, own: Own) =>
      new HandlerFunction(this, childId, { folders, logRetention, logRemoval, ...own });
    this.planRun = make('PlanRun', planRun(props));
    this.inspectPhotos = make('InspectPhotos', inspectPhotos(props));
    this.startJob = make('StartJob', startJob(this, props));
    this.reconcileJob = make('ReconcileJob', reconcileJob(this, props));
    this.decideRound = make('DecideRound', decideRound(props));
    this.endRun = make('EndRun', endRun(this, props));
    this.publishRun = make('PublishRun', publishRun(props));
  }
}

/** Where a lambda finds the bucket and the table. */
function places({ bucket, table }: MachineLambdasProps): Record<string, string> {
  return { BUCKET: bucket.bucketName, TABLE: table.tableName };
}

function planRun(props: MachineLambdasProps): Own {
  const { bucket, table, topic, models, linkedModels, version, instanceTypes } = props;
  return {
    name: 'plan-run',
    description: 'reads the request, plans the run, refuses what cannot be done',
    timeout: Duration.minutes(2),
    memoryMiB: 512,
    environment: {
      ...places(props),
      TOPIC_ARN: topic.topicArn,
      MODEL_SCALE: models,
      LINKED_MODELS: linkedModels ? 'yes' : 'no',
      VERSION: version,
      INSTANCE_TYPES: instanceTypes.join(','),
    },
    statements: [
      onObjects(bucket, ['s3:GetObject', 's3:GetObjectVersion'], ['subjects/*/subject.json']),
      listObjects(bucket, ['models/*']),
      onObjects(bucket, ['s3:GetObject'], ['models/*/manifest.json']),
      onObjects(bucket, ['s3:PutObject'], ['runs/*/plan.json', 'runs/*/chunks/*']),
      onTable(table, ['UpdateItem']),
      // Only addresses: no other kind of subscriber can be slipped in.
      allow(['sns:Subscribe'], [topic.topicArn], { StringEquals: { 'sns:Protocol': 'email' } }),
    ],
  };
}

function inspectPhotos({ bucket }: MachineLambdasProps): Own {
  return {
    name: 'inspect-photos',
    description: 'judges the photos and writes the references that every later stage reads',
    // Lambda's longest: the most photos that are looked into, each at its own time limit, take just that.
    timeout: Duration.minutes(15),
    // What the inspection's own memory limits are made for, decoder and worker thread included.
    memoryMiB: 3008,
    environment: {},
    statements: [
      onObjects(bucket, ['s3:GetObject'], ['subjects/*/photos/*']),
      listObjects(bucket, ['subjects/*/photos/*', 'runs/*/references/*']),
      onObjects(bucket, ['s3:PutObject', 's3:DeleteObject'], ['runs/*/references/*']),
    ],
  };
}

function startJob(scope: Construct, props: MachineLambdasProps): Own {
  const { bucket, table, jobRole, imageUri, instanceTypes } = props;
  return {
    name: 'start-job',
    description: 'starts the SageMaker job of a stage, or adopts the one that runs',
    // Creating jobs is throttled to about one a second; the client's patience must fit in.
    timeout: Duration.minutes(3),
    memoryMiB: 512,
    environment: { ...places(props), JOB_ROLE_ARN: jobRole.roleArn, IMAGE_URI: imageUri },
    statements: [
      onObjects(bucket, ['s3:GetObject'], ['runs/*/plan.json', 'models/*/manifest.json']),
      listObjects(bucket, ['runs/*/pictures/*', 'class-pictures/*', 'models/*']),
      onObjects(bucket, ['s3:PutObject'], ['runs/*/manifests/*']),
      onTable(table, ['Query', 'PutItem', 'UpdateItem']),
      ...createJobs(scope, { jobRoleArn: jobRole.roleArn, instanceTypes }),
      // A job whose run was stopped while it was being created.
      ...stopJobs(scope),
      deleteModels(scope),
    ],
  };
}

function reconcileJob(scope: Construct, props: MachineLambdasProps): Own {
  const { bucket, table } = props;
  return {
    name: 'reconcile-job',
    description: 'looks up a job of which nothing was heard',
    timeout: Duration.minutes(3),
    memoryMiB: 512,
    environment: places(props),
    statements: [
      listObjects(bucket, ['runs/*/pictures/*', 'runs/*/failures/*']),
      onObjects(bucket, ['s3:GetObject'], ['runs/*/failures/*']),
      onTable(table, ['Query', 'UpdateItem']),
      ...describeJobs(scope),
      ...stopJobs(scope),
      deleteModels(scope),
    ],
  };
}

function decideRound(props: MachineLambdasProps): Own {
  const { bucket, table } = props;
  return {
    name: 'decide-round',
    description: 'says whether more proxies are drawn, and which the student learns from',
    timeout: Duration.minutes(1),
    memoryMiB: 512,
    environment: places(props),
    statements: [
      onObjects(bucket, ['s3:GetObject'], ['runs/*/plan.json', 'runs/*/jobs/*']),
      onObjects(bucket, ['s3:PutObject'], ['runs/*/curation/*']),
      onTable(table, ['Query']),
    ],
  };
}

function endRun(scope: Construct, props: MachineLambdasProps): Own {
  const { table, topic, failures } = props;
  return {
    name: 'end-run',
    description: 'stops what still runs after a failure, records why, tells the user',
    timeout: Duration.minutes(3),
    memoryMiB: 512,
    environment: { TABLE: table.tableName, TOPIC_ARN: topic.topicArn },
    statements: [
      onTable(table, ['GetItem', 'Query', 'UpdateItem']),
      ...stopJobs(scope),
      deleteModels(scope),
      allow(['sns:Publish'], [topic.topicArn]),
    ],
    failures,
  };
}

function publishRun(props: MachineLambdasProps): Own {
  const { bucket, table, topic } = props;
  return {
    name: 'publish-run',
    description: 'puts the report in its place and tells the user',
    // Hundreds of pictures are copied, inside S3.
    timeout: Duration.minutes(5),
    memoryMiB: 512,
    environment: { ...places(props), TOPIC_ARN: topic.topicArn },
    statements: [
      onObjects(
        bucket,
        ['s3:GetObject'],
        ['runs/*/plan.json', 'runs/*/jobs/*', 'runs/*/checkpoints/teach/prior/*'],
      ),
      listObjects(bucket, ['runs/*/jobs/*', 'runs/*/checkpoints/teach/prior/*', 'class-pictures/*']),
      onObjects(bucket, ['s3:PutObject'], ['runs/*/report/*', 'class-pictures/*']),
      onTable(table, ['GetItem', 'Query', 'UpdateItem']),
      allow(['sns:Publish'], [topic.topicArn]),
    ],
  };
}
