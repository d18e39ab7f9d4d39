/** Which errors are worth another try, when, and how often. */

import { JitterType, type RetryProps } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration } from 'aws-cdk-lib/core';
import { type ErrorName, retryableNames } from '../../core/errors.ts';

/** Errors of Lambda itself; the handlers are written so that a repeat meets what the first call left. */
const LAMBDA_FAULTS = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
];
/** The invocation ended without an answer: out of time or memory, or the sandbox was lost. */
const LAMBDA_LOST = ['Lambda.Unknown', 'Sandbox.Timedout', 'Runtime.ExitError'];

export function lambdaRetries(): RetryProps[] {
  const pace = { interval: Duration.seconds(2), backoffRate: 2, jitterStrategy: JitterType.FULL };
  return [
    { errors: LAMBDA_FAULTS, maxAttempts: 6, ...pace },
    { errors: LAMBDA_LOST, maxAttempts: 1, ...pace },
  ];
}

/** Nothing of ours helps against these but waiting; others in the account wait for the same, hence the jitter. */
const WAITED_OUT: readonly ErrorName[] = ['QuotaBusy', 'CapacityUnavailable', 'ServiceFault'];
/** A wait never grows beyond this many first waits: half an hour by default. */
const LONGEST_WAIT = 6;
/** About half a day of waits by default. */
const MOST_WAITS = 24;
/** Each of the other tries pays for instances again. */
const MOST_TRIES_AT_ONCE = 3;

/**
 * Retries of a job's state. How many attempts may really cost money is start-job's to say, which counts them over
 * all causes.
 *
 * @param wait - the first wait for quota or capacity
 */
export function jobRetries(wait: Duration): RetryProps[] {
  const atOnce = retryableNames().filter((name) => !WAITED_OUT.includes(name));
  return [
    {
      errors: [...WAITED_OUT],
      interval: wait,
      backoffRate: 2,
      maxDelay: Duration.seconds(wait.toSeconds() * LONGEST_WAIT),
      maxAttempts: MOST_WAITS,
      jitterStrategy: JitterType.FULL,
    },
    { errors: atOnce, interval: Duration.seconds(1), maxAttempts: MOST_TRIES_AT_ONCE },
  ];
}
