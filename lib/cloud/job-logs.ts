/**
 * Gives a retention to the log groups of SageMaker's jobs, which SageMaker creates without one. They belong to the
 * account, not to the stack: all jobs of a kind write to the same group, and both groups stay when the stack is deleted.
 */

import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { DeploymentLambda } from './deployment-lambda.ts';
import type { HandlerDefaults } from './handler-function.ts';
import { allow } from './permissions.ts';
import { jobLogGroup, logGroupArn } from './sagemaker-role.ts';

export interface JobLogsProps extends HandlerDefaults {
  /** Retention of groups that have none. */
  readonly days: number;
}

export class JobLogs extends Construct {
  constructor(scope: Construct, id: string, { days, ...defaults }: JobLogsProps) {
    super(scope, id);
    const groups = [jobLogGroup('TrainingJobs'), jobLogGroup('TransformJobs')];
    const retain = new DeploymentLambda(this, 'RetainJobLogs', {
      ...defaults,
      name: 'retain-job-logs',
      description: 'sets the retention of the logs of SageMaker jobs',
    });
    allow(retain, {
      actions: ['logs:CreateLogGroup', 'logs:PutRetentionPolicy'],
      resources: groups.map((name) => logGroupArn(Stack.of(this), name)),
      wildcards: 'The `*` are the streams of a group, which the form of the ARN includes.',
    });
    allow(retain, {
      actions: ['logs:DescribeLogGroups'],
      resources: ['*'],
      wildcards: 'logs:DescribeLogGroups lists groups by prefix and has no resource types.',
    });
    retain.call(this, 'Custom::ProxytuneJobLogs', { Groups: groups, Days: days });
  }
}
