/**
 * The lambdas that the state machine invokes. They must not reference the machine, whose definition references them.
 */

import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { keys } from '../core/keys.ts';
import { jobPrefix } from '../core/names.ts';
import { type HandlerDefaults, HandlerFunction, type HandlerFunctionProps } from './handler-function.ts';
import type { JobImage } from './job-image.ts';
import { createJobs, deleteModels, describeJobs, stopJobs } from './job-permissions.ts';
import { allow, listObjects, onObjects, onTable } from './permissions.ts';

export interface MachineLambdasProps extends HandlerDefaults {
  readonly bucket: IBucket;
  readonly table: ITable;
  readonly topic: ITopic;
  readonly jobRole: IRole;
  readonly image: JobImage;
  readonly instanceTypes: readonly string[];
  readonly models: 'full' | 'tiny';
  /** Product version, stored in the run records. */
  readonly version: string;
  /** The queue for events that end-run failed to process. */
  readonly failures: IQueue;
}

type OwnProps = Omit<HandlerFunctionProps, keyof HandlerDefaults>;

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
    const create = (childId: string, own: OwnProps) =>
      new HandlerFunction(this, childId, { folders, logRetention, logRemoval, ...own });
    this.planRun = create('PlanRun', planRun(props));
    this.inspectPhotos = create('InspectPhotos', inspectPhotos(props));
    this.startJob = create('StartJob', startJob(this, props));
    this.reconcileJob = create('ReconcileJob', reconcileJob(this, props));
    this.decideRound = create('DecideRound', decideRound(props));
    this.endRun = create('EndRun', endRun(this, props));
    this.publishRun = create('PublishRun', publishRun(props));
  }
}

/** The environment variables with the names of the bucket and the table. */
function storage({ bucket, table }: MachineLambdasProps): Record<string, string> {
  return { BUCKET: bucket.bucketName, TABLE: table.tableName };
}

function planRun(props: MachineLambdasProps): OwnProps {
  const { bucket, table, topic, models, version, instanceTypes, image } = props;
  return {
    name: 'plan-run',
    description: 'reads the request, plans the run, rejects invalid requests',
    timeout: Duration.minutes(2),
    memoryMiB: 512,
    environment: {
      ...storage(props),
      TOPIC_ARN: topic.topicArn,
      MODEL_SCALE: models,
      VERSION: version,
      INSTANCE_TYPES: instanceTypes.join(','),
      IMAGE_URI: image.uri,
    },
    statements: [
      onObjects(bucket, ['s3:GetObject', 's3:GetObjectVersion'], ['subjects/*/subject.json']),
      listObjects(bucket, ['models/*']),
      onObjects(bucket, ['s3:GetObject'], [keys.modelManifest('*')]),
      onObjects(bucket, ['s3:PutObject'], [keys.plan('*'), 'runs/*/chunks/*']),
      onTable(table, ['UpdateItem']),
      allow(['ecr:DescribeImages'], [image.repository.repositoryArn]),
      // Email addresses only, no other kind of subscriber.
      allow(['sns:Subscribe'], [topic.topicArn], { StringEquals: { 'sns:Protocol': 'email' } }),
    ],
  };
}

function inspectPhotos({ bucket }: MachineLambdasProps): OwnProps {
  return {
    name: 'inspect-photos',
    description: 'checks the photos and writes the references that later stages read',
    // The maximum of Lambda, which is just enough for the maximum number of photos, each at its time limit.
    timeout: Duration.minutes(15),
    // The inspection's memory limits are set for this size, decoder and worker thread included.
    memoryMiB: 3008,
    environment: {},
    statements: [
      onObjects(bucket, ['s3:GetObject'], ['subjects/*/photos/*']),
      listObjects(bucket, ['subjects/*/photos/*', 'runs/*/references/*']),
      onObjects(bucket, ['s3:PutObject', 's3:DeleteObject'], ['runs/*/references/*']),
    ],
  };
}

function startJob(scope: Construct, props: MachineLambdasProps): OwnProps {
  const { bucket, table, jobRole, instanceTypes } = props;
  return {
    name: 'start-job',
    description: 'starts the SageMaker job of a stage, or reuses the one that is running',
    // Creating jobs is throttled to about one per second; the client's retries must fit in.
    timeout: Duration.minutes(3),
    memoryMiB: 512,
    environment: {
      ...storage(props),
      JOB_ROLE_ARN: jobRole.roleArn,
      JOB_PREFIX: jobPrefix(Stack.of(scope).stackName),
    },
    statements: [
      onObjects(bucket, ['s3:GetObject'], [keys.plan('*'), keys.modelManifest('*')]),
      listObjects(bucket, ['runs/*/pictures/*', 'class-images/*', 'models/*']),
      onObjects(bucket, ['s3:PutObject'], ['runs/*/manifests/*']),
      onTable(table, ['Query', 'PutItem', 'UpdateItem']),
      ...createJobs(scope, { jobRoleArn: jobRole.roleArn, instanceTypes }),
      // For a job whose run was stopped while the job was being created.
      ...stopJobs(scope),
      deleteModels(scope),
    ],
  };
}

function reconcileJob(scope: Construct, props: MachineLambdasProps): OwnProps {
  const { bucket, table } = props;
  return {
    name: 'reconcile-job',
    description: 'looks up the state of a silent job',
    timeout: Duration.minutes(3),
    memoryMiB: 512,
    environment: storage(props),
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

function decideRound(props: MachineLambdasProps): OwnProps {
  const { bucket, table } = props;
  return {
    name: 'decide-round',
    description: 'decides if more proxies are generated, and which ones train the student',
    timeout: Duration.minutes(1),
    memoryMiB: 512,
    environment: storage(props),
    statements: [
      onObjects(bucket, ['s3:GetObject'], [keys.plan('*'), 'runs/*/jobs/*']),
      onObjects(bucket, ['s3:PutObject'], ['runs/*/curation/*']),
      onTable(table, ['Query']),
    ],
  };
}

function endRun(scope: Construct, props: MachineLambdasProps): OwnProps {
  const { table, topic, failures } = props;
  return {
    name: 'end-run',
    description: 'stops the remaining jobs after a failure, records the reason, notifies the user',
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

function publishRun(props: MachineLambdasProps): OwnProps {
  const { bucket, table, topic } = props;
  return {
    name: 'publish-run',
    description: 'publishes the report and notifies the user',
    // Copies hundreds of images within S3.
    timeout: Duration.minutes(5),
    memoryMiB: 512,
    environment: { ...storage(props), TOPIC_ARN: topic.topicArn },
    statements: [
      onObjects(bucket, ['s3:GetObject'], [keys.plan('*'), 'runs/*/jobs/*', keys.drawnClass('*')]),
      listObjects(bucket, ['runs/*/jobs/*', keys.drawnClass('*'), 'class-images/*']),
      onObjects(bucket, ['s3:PutObject'], ['runs/*/report/*', 'class-images/*']),
      onTable(table, ['GetItem', 'Query', 'UpdateItem']),
      allow(['sns:Publish'], [topic.topicArn]),
    ],
  };
}
