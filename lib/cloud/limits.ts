/** Times that several constructs must agree on. */
import { Duration } from 'aws-cdk-lib/core';
import { LONGEST_RUNTIME_SECONDS } from '../core/plan/pricing.ts';

/**
 * The longest a stage may wait for its job. Three times the longest training that the catalogue's recipes plan, and
 * below the five days that an account grants one training job by default.
 */
export const STAGE_TIMEOUT = Duration.seconds(LONGEST_RUNTIME_SECONDS);

/**
 * The longest a run may take. A silent job costs about 14 history events every heartbeat (900 s), so that a week
 * stays far below the 25,000 events at which Step Functions ends an execution without warning.
 */
export const RUN_TIMEOUT = Duration.days(7);
