/**
 * The lambdas that are called by events and that reference the state machine. The machine must never invoke one of
 * them: the definition would depend on the lambda and the lambda's role on the machine, a circular dependency in
 * CloudFormation.
 */

import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { jobPrefix } from '../core/names.ts';
import { type HandlerDefaults, HandlerFunction } from './handler-function.ts';
import { deleteModels, describeJobs } from './job-permissions.ts';
import { allow, listObjects, onObjects, onTable } from './permissions.ts';

export interface EventLambdasProps extends HandlerDefaults {
  readonly bucket: IBucket;
  readonly table: ITable;
  readonly machine: IStateMachine;
  /** The queue for events that a lambda failed to process. */
  readonly failures: IQueue;
}

export class EventLambdas extends Construct {
  readonly startRun: HandlerFunction;
  readonly completeJob: HandlerFunction;

  constructor(scope: Construct, id: string, props: EventLambdasProps) {
    super(scope, id);
    const { folders, logRetention, logRemoval, failures, machine, bucket, table } = props;
    const defaults = { folders, logRetention, logRemoval, failures };
    this.startRun = new HandlerFunction(this, 'StartRun', {
      ...defaults,
      name: 'start-run',
      description: 'starts the run that an uploaded subject.json requests',
      timeout: Duration.minutes(1),
      memoryMiB: 256,
      environment: { STATE_MACHINE_ARN: machine.stateMachineArn },
      statements: [allow(['states:StartExecution'], [machine.stateMachineArn])],
    });
    this.completeJob = new HandlerFunction(this, 'CompleteJob', {
      ...defaults,
      name: 'complete-job',
      description: 'reports the outcome of a job to the waiting state machine',
      timeout: Duration.minutes(2),
      memoryMiB: 512,
      environment: {
        BUCKET: bucket.bucketName,
        TABLE: table.tableName,
        JOB_PREFIX: jobPrefix(Stack.of(this).stackName),
      },
      statements: [
        listObjects(bucket, ['runs/*/pictures/*', 'runs/*/failures/*']),
        onObjects(bucket, ['s3:GetObject'], ['runs/*/failures/*']),
        onTable(table, ['GetItem', 'UpdateItem']),
        ...describeJobs(this),
        deleteModels(this),
        allow(
          ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
          [machine.stateMachineArn],
        ),
      ],
    });
  }
}
