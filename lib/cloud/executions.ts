/** The executions of the state machine, which lambdas list, read and stop. */

import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { ArnFormat, Stack } from 'aws-cdk-lib/core';
import { allow } from './permissions.ts';

export class Executions {
  readonly #machine: StateMachine;

  constructor(machine: StateMachine) {
    this.#machine = machine;
  }

  grantList(grantee: IGrantable): void {
    allow(grantee, { actions: ['states:ListExecutions'], resources: [this.#machine.stateMachineArn] });
  }

  grant(grantee: IGrantable, ...actions: readonly ('DescribeExecution' | 'StopExecution')[]): void {
    const any = Stack.of(this.#machine).formatArn({
      service: 'states',
      resource: 'execution',
      resourceName: `${this.#machine.stateMachineName}:*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    allow(grantee, {
      actions: actions.map((action) => `states:${action}`),
      resources: [any],
      wildcards: 'The `*` is the name of an execution, which is that of its run; the state machine is fixed.',
    });
  }
}
