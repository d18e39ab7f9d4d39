/** Times that several constructs must agree on. */
import { Duration } from 'aws-cdk-lib/core';
import { LONGEST_RUNTIME_SECONDS } from '../core/plan/pricing.ts';

/**
 * The longest a stage may wait for its job: three times the longest training in the catalogue's recipes, and below
 * the default quota of five days for one training job.
 */
export const STAGE_TIMEOUT = Duration.seconds(LONGEST_RUNTIME_SECONDS);

/**
 * The longest a run may take. A silent job adds about 14 history events per heartbeat (900 s), so a week stays far
 * below the 25,000 events at which Step Functions ends an execution.
 */
export const RUN_TIMEOUT = Duration.days(7);
