import { MAX_EVENTS } from './history.ts';
import type { ExecutionRecord } from './store.ts';

const DAY_MS = 24 * 3600 * 1000;

/** The time after its end in which an execution can be redriven (Step Functions developer guide). */
const REDRIVABLE_MS = 14 * DAY_MS;

/** The longest that an execution may be open (Step Functions quota). */
const LONGEST_EXECUTION_MS = 365 * DAY_MS;

/** The answers of DescribeExecution about a redrive. */
export type RedriveStatus =
  | { readonly redriveStatus: 'REDRIVABLE' }
  | { readonly redriveStatus: 'NOT_REDRIVABLE'; readonly redriveStatusReason: string };

/** Decides whether an execution can be redriven; the reasons are those of the API reference. */
export function redriveStatus(record: ExecutionRecord, now: number): RedriveStatus {
  const reason = whyNot(record, now);
  return reason === undefined
    ? { redriveStatus: 'REDRIVABLE' }
    : { redriveStatus: 'NOT_REDRIVABLE', redriveStatusReason: reason };
}

function whyNot(record: ExecutionRecord, now: number): string | undefined {
  const { status, startDate, stopDate = now, events, progress } = record;
  if (status === 'RUNNING' || status === 'SUCCEEDED') return `Execution is ${status} and cannot be redriven`;
  // Records of versions before this one do not say where the execution ended.
  if (progress === undefined) return 'Execution was started before the launch of RedriveExecution';
  if (events.length >= MAX_EVENTS - 1) return 'Execution history event limit exceeded';
  if (now - startDate > LONGEST_EXECUTION_MS) return 'Execution has exceeded the max execution time';
  if (now - stopDate > REDRIVABLE_MS) return 'Execution redrivable period exceeded';
  return undefined;
}
