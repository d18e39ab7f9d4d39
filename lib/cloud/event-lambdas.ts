/**
 * The lambdas that are called by events and that reference the state machine. The machine must never invoke one of
 * them: the definition would depend on the lambda and the lambda's role on the machine, a circular dependency in
 * CloudFormation.
 */

import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { jobPrefix } from '../core/names.ts';
import type { BucketAccess, TableAccess } from './data-access.ts';
import { Executions } from './executions.ts';
import { type HandlerDefaults, HandlerFunction } from './handler-function.ts';
import { OwnJobs } from './own-jobs.ts';
import { FILES_OF_A_RUN } from './wildcards.ts';

export interface EventLambdasProps extends HandlerDefaults {
  readonly bucket: BucketAccess;
  readonly table: TableAccess;
  readonly machine: StateMachine;
  /** The queue for events that a lambda failed to process. */
  readonly failures: IQueue;
}

export class EventLambdas extends Construct {
  readonly startRun: HandlerFunction;
  readonly withdrawRun: HandlerFunction;
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
    });
    machine.grantStartExecution(this.startRun);
    this.withdrawRun = new HandlerFunction(this, 'WithdrawRun', {
      ...defaults,
      name: 'withdraw-run',
      description: 'stops the run whose subject.json was deleted',
      timeout: Duration.minutes(1),
      memoryMiB: 256,
      environment: { STATE_MACHINE_ARN: machine.stateMachineArn },
    });
    const executions = new Executions(machine);
    executions.grantList(this.withdrawRun);
    executions.grant(this.withdrawRun, 'DescribeExecution', 'StopExecution');
    this.completeJob = new HandlerFunction(this, 'CompleteJob', {
      ...defaults,
      name: 'complete-job',
      description: 'reports the outcome of a job to the waiting state machine',
      timeout: Duration.minutes(2),
      memoryMiB: 512,
      environment: {
        BUCKET: bucket.name,
        TABLE: table.name,
        JOB_PREFIX: jobPrefix(Stack.of(this).stackName),
      },
    });
    const { completeJob } = this;
    const jobs = new OwnJobs(this);
    bucket.grantList(completeJob, ['intermediates/*/pictures/*', 'runs/*/pictures/*', 'runs/*/failures/*']);
    bucket.grantObjects(completeJob, ['GetObject'], ['runs/*/failures/*'], FILES_OF_A_RUN);
    table.grant(completeJob, 'GetItem', 'Query', 'UpdateItem');
    jobs.grantDescribe(completeJob);
    jobs.grantDeleteModels(completeJob);
    machine.grantTaskResponse(completeJob);
  }
}
