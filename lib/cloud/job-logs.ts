/**
 * Gives a retention to the log groups of SageMaker's jobs, which SageMaker creates without one. They belong to the
 * account, not to the stack: all jobs of a kind write to the same group, and both groups stay when the stack is deleted.
 */

import { ArnFormat, CustomResource, Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { type HandlerDefaults, HandlerFunction } from './handler-function.ts';
import { allow } from './permissions.ts';
import { jobLogGroup } from './sagemaker-role.ts';

export interface JobLogsProps extends HandlerDefaults {
  /** Retention of groups that have none. */
  readonly days: number;
}

export class JobLogs extends Construct {
  constructor(scope: Construct, id: string, { days, folders, logRetention, logRemoval }: JobLogsProps) {
    super(scope, id);
    const groups = [jobLogGroup('TrainingJobs'), jobLogGroup('TransformJobs')];
    const retain = new HandlerFunction(this, 'RetainJobLogs', {
      folders,
      logRetention,
      logRemoval,
      name: 'retain-job-logs',
      description: 'sets the retention of the logs of SageMaker jobs',
      timeout: Duration.minutes(1),
      memoryMiB: 256,
      environment: {},
      statements: [
        allow(
          ['logs:CreateLogGroup', 'logs:PutRetentionPolicy'],
          groups.map((resourceName) =>
            Stack.of(this).formatArn({
              service: 'logs',
              resource: 'log-group',
              resourceName: `${resourceName}:*`,
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          ),
        ),
        allow(['logs:DescribeLogGroups'], ['*']),
      ],
    });
    const result = new CustomResource(this, 'Result', {
      resourceType: 'Custom::ProxytuneJobLogs',
      serviceToken: retain.lambda.functionArn,
      serviceTimeout: Duration.minutes(2),
      properties: { Groups: groups, Days: days },
    });
    // Also the policy of its role.
    result.node.addDependency(retain);
  }
}
