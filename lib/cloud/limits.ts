/** Times that several constructs must agree on. */
import { Duration } from 'aws-cdk-lib/core';
import { LONGEST_RUNTIME_SECONDS } from '../core/plan/pricing.ts';

/**
 * The longest a stage may wait for its job: three times the longest training in the catalogue's recipes, and below
 * the default quota of five days for one training job.
 */
export const STAGE_TIMEOUT = Duration.seconds(LONGEST_RUNTIME_SECONDS);

/** The longest a run may take. */
export const RUN_TIMEOUT = Duration.days(7);

/** The shortest life of intermediates, in days: no run loses its own, whenever S3 applies its rules on a day. */
export const LEAST_INTERMEDIATES_DAYS = RUN_TIMEOUT.toDays() + 1;

/** Step Functions ends an execution whose history reaches this; no Catch sees it ("Step Functions service quotas"). */
export const MOST_EVENTS = 25_000;
/** The events that a silent job adds to the history each time it is looked up; the test of the pipeline counts them. */
export const EVENTS_PER_HEARTBEAT = 13;
/** The two sample stages run at the same time. */
export const PARALLEL_JOBS = 2;
/**
 * Kept free for all other events. A retry after a wait adds fewer events a minute than a silent job does, so only the
 * stages themselves and the retries without a wait count: 5 events each, for at most 46 stages (20 rounds of curation).
 */
const OTHER_EVENTS = 2000;

/**
 * The shortest time between two lookups of silent jobs with which the longest run, both of its parallel jobs silent
 * from beginning to end, stays below the limit of its history. Whole minutes.
 */
export const SHORTEST_HEARTBEAT = Duration.minutes(
  Math.ceil((RUN_TIMEOUT.toMinutes() * EVENTS_PER_HEARTBEAT * PARALLEL_JOBS) / (MOST_EVENTS - OTHER_EVENTS)),
);
