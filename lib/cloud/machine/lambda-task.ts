/** A state that asks a lambda and goes on with its answer. */

import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { TaskInput, Timeout } from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { lambdaRetries } from './retries.ts';

export interface LambdaTaskProps {
  readonly lambda: IFunction;
  readonly comment: string;
  /** What the lambda is given: an object with expressions in it, or one expression. */
  readonly payload: Record<string, unknown> | string;
  /** What the state leaves. @default - the lambda's answer */
  readonly output?: unknown;
  /** Variables that the state sets. @default - none */
  readonly assign?: Record<string, unknown>;
}

/** Beyond the lambda's own time, for it to be started. */
const START_SECONDS = 30;

export function lambdaTask(scope: Construct, name: string, props: LambdaTaskProps): LambdaInvoke {
  const { lambda, comment, payload, output = '{% $states.result.Payload %}', assign } = props;
  const patience = (lambda as { timeout?: Duration }).timeout?.toSeconds() ?? 0;
  const task = LambdaInvoke.jsonata(scope, name, {
    comment,
    lambdaFunction: lambda,
    payload: typeof payload === 'string' ? TaskInput.fromText(payload) : TaskInput.fromObject(payload),
    outputs: output,
    ...(assign === undefined ? {} : { assign }),
    taskTimeout: Timeout.duration(Duration.seconds(patience + START_SECONDS)),
    // CDK's own list of errors is not ours.
    retryOnServiceExceptions: false,
  });
  for (const retry of lambdaRetries()) task.addRetry(retry);
  return task;
}
