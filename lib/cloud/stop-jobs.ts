/**
 * Stops the runs and jobs of the stack when it is deleted: they would go on, and be billed, while everything that could
 * stop them is deleted with the stack.
 */

import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { type CustomResource, Duration, Stack } from 'aws-cdk-lib/core';
import { Construct, type IDependable } from 'constructs';
import { jobPrefix } from '../core/names.ts';
import { DeploymentLambda } from './deployment-lambda.ts';
import { Executions } from './executions.ts';
import type { HandlerDefaults } from './handler-function.ts';
import { OwnJobs } from './own-jobs.ts';

export interface StopJobsProps extends HandlerDefaults {
  readonly machine: StateMachine;
  /** The parts that stopping runs and jobs still need to save and record their results; they are deleted afterwards. */
  readonly needed: readonly IDependable[];
  /** The parts that start runs; they are deleted before. */
  readonly starting: readonly Construct[];
}

export class StopJobs extends Construct {
  /** Its deletion stops everything. */
  readonly result: CustomResource;

  constructor(scope: Construct, id: string, props: StopJobsProps) {
    super(scope, id);
    const { machine, needed, starting, ...defaults } = props;
    const stop = new DeploymentLambda(this, 'StopJobs', {
      ...defaults,
      name: 'stop-jobs',
      description: 'stops the runs and jobs of the stack when it is deleted',
      // The maximum of Lambda: a job has two minutes to end, and then uploads what it has.
      timeout: Duration.minutes(15),
    });
    const executions = new Executions(machine);
    executions.grantList(stop);
    executions.grant(stop, 'StopExecution');
    const jobs = new OwnJobs(this);
    jobs.grantList(stop);
    jobs.grantStop(stop);
    this.result = stop.call(this, 'Custom::ProxytuneJobs', {
      StateMachineArn: machine.stateMachineArn,
      JobPrefix: jobPrefix(Stack.of(this).stackName),
    });
    // CloudFormation deletes what depends on something first.
    this.result.node.addDependency(...needed);
    for (const construct of starting) construct.node.addDependency(this.result);
  }
}
