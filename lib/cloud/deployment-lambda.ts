/** A lambda that works at deployment: CloudFormation calls it as a custom resource, and waits for its answer. */

import { CustomResource, Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { type HandlerDefaults, HandlerFunction, type HandlerFunctionProps } from './handler-function.ts';

export interface DeploymentLambdaProps
  extends HandlerDefaults,
    Pick<HandlerFunctionProps, 'name' | 'description'> {
  /** The time after which an invocation is ended. @default - a minute */
  readonly timeout?: Duration;
}

export class DeploymentLambda extends HandlerFunction {
  constructor(scope: Construct, id: string, props: DeploymentLambdaProps) {
    super(scope, id, { timeout: Duration.minutes(1), ...props, memoryMiB: 256, environment: {} });
  }

  /**
   * Calls the lambda when the stack is created, and whenever the properties change.
   *
   * @param scope - gets a construct with the id `Result`
   * @param resourceType - of the custom resource, which begins with `Custom::`
   * @param properties - the input of the lambda
   * @returns the custom resource, with whose deletion the lambda is called again
   */
  call(
    scope: Construct,
    resourceType: string,
    properties: Readonly<Record<string, unknown>>,
  ): CustomResource {
    const result = new CustomResource(scope, 'Result', {
      resourceType,
      serviceToken: this.lambda.functionArn,
      // Without an answer, such as after a fault in the lambda, CloudFormation gives up soon after the lambda has.
      serviceTimeout: this.timeout.plus(Duration.minutes(1)),
      properties: { ...properties },
    });
    // Also the policy of its role.
    result.node.addDependency(this);
    return result;
  }
}
