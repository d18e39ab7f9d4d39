/** The retry policies of the states. */

import { JitterType, type RetryProps } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration } from 'aws-cdk-lib/core';
import { type ErrorName, retryableNames } from '../../core/errors.ts';

/** Errors of the Lambda service; the handlers are idempotent. */
const LAMBDA_FAULTS = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
];
/** The invocation ended without a result: out of time or memory, or the sandbox crashed. */
const LAMBDA_CRASHES = ['Lambda.Unknown', 'Sandbox.Timedout', 'Runtime.ExitError'];

/** Every error of an invocation that came to no answer of the handler. */
export const LAMBDA_ERRORS: readonly string[] = [...LAMBDA_FAULTS, ...LAMBDA_CRASHES];

export function lambdaRetries(): RetryProps[] {
  const pace = { interval: Duration.seconds(2), backoffRate: 2, jitterStrategy: JitterType.FULL };
  return [
    { errors: LAMBDA_FAULTS, maxAttempts: 6, ...pace },
    { errors: LAMBDA_CRASHES, maxAttempts: 1, ...pace },
  ];
}

/** Errors that only waiting resolves; others in the account may wait for the same, hence the jitter. */
export const RETRIED_AFTER_WAIT: readonly ErrorName[] = ['QuotaBusy', 'CapacityUnavailable', 'ServiceFault'];
/** The longest wait as a multiple of the first: half an hour by default. */
const LONGEST_WAIT = 6;
/** About half a day of waiting by default. */
const MOST_DELAYED_RETRIES = 24;
/** Each of these retries pays for instances again. */
const MOST_IMMEDIATE_RETRIES = 3;

/**
 * Retries of a job's state. start-job limits the number of attempts that cost money, over all causes.
 *
 * @param wait - the first wait for quota or capacity
 */
export function jobRetries(wait: Duration): RetryProps[] {
  const immediate = retryableNames().filter((name) => !RETRIED_AFTER_WAIT.includes(name));
  return [
    {
      errors: [...RETRIED_AFTER_WAIT],
      interval: wait,
      backoffRate: 2,
      maxDelay: Duration.seconds(wait.toSeconds() * LONGEST_WAIT),
      maxAttempts: MOST_DELAYED_RETRIES,
      jitterStrategy: JitterType.FULL,
    },
    { errors: immediate, interval: Duration.seconds(1), maxAttempts: MOST_IMMEDIATE_RETRIES },
  ];
}
