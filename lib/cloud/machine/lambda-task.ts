/** A state that invokes a lambda and continues with its result. */

import { TaskInput, Timeout } from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../handler-function.ts';
import { lambdaRetries } from './retries.ts';

export interface LambdaTaskProps {
  readonly lambda: HandlerFunction;
  readonly comment: string;
  /** The lambda's input: an object that may contain expressions, or one expression. */
  readonly payload: Record<string, unknown> | string;
  /** The state's output. @default - the lambda's result */
  readonly output?: unknown;
  /** Variables that the state assigns. @default - none */
  readonly assign?: Record<string, unknown>;
}

/** Time for the lambda to start, added to its own timeout. */
const START_SECONDS = 30;

export function lambdaTask(scope: Construct, name: string, props: LambdaTaskProps): LambdaInvoke {
  const { lambda, comment, payload, output = '{% $states.result.Payload %}', assign } = props;
  const task = LambdaInvoke.jsonata(scope, name, {
    comment,
    lambdaFunction: lambda.publishedVersion,
    payload: typeof payload === 'string' ? TaskInput.fromText(payload) : TaskInput.fromObject(payload),
    outputs: output,
    ...(assign === undefined ? {} : { assign }),
    taskTimeout: Timeout.duration(lambda.timeout.plus(Duration.seconds(START_SECONDS))),
    // Our list of retryable errors differs from CDK's.
    retryOnServiceExceptions: false,
  });
  for (const retry of lambdaRetries()) task.addRetry(retry);
  return task;
}
