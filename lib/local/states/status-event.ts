import { randomUUID } from 'node:crypto';
import type { AwsEnvironment } from './names.ts';
import { redriveStatus } from './redrive.ts';
import type { ExecutionRecord } from './store.ts';

/** An event as EventBridge delivers it. */
export interface StatusChangeEvent {
  readonly version: '0';
  readonly id: string;
  readonly source: 'aws.states';
  readonly 'detail-type': 'Step Functions Execution Status Change';
  readonly account: string;
  readonly region: string;
  readonly time: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Longer input and output are left out of the event, which must stay below 256 KiB (AWS documents 248 KiB). */
const MAX_EVENT_BYTES = 248 * 1024;

/** Creates the event that AWS sends when an execution has started or ended. */
export function statusChangeEvent(
  environment: AwsEnvironment,
  execution: ExecutionRecord,
): StatusChangeEvent {
  const { executionArn, machine, name, status, startDate, stopDate, input, output, error, cause, redrive } =
    execution;
  const changed = stopDate ?? redrive?.date ?? startDate;
  const included = Buffer.byteLength(input + (output ?? ''), 'utf8') <= MAX_EVENT_BYTES;
  return {
    version: '0',
    id: randomUUID(),
    source: 'aws.states',
    'detail-type': 'Step Functions Execution Status Change',
    account: environment.account,
    region: environment.region,
    time: `${new Date(changed).toISOString().slice(0, 19)}Z`,
    resources: [executionArn],
    detail: {
      executionArn,
      stateMachineArn: machine.stateMachineArn,
      name,
      status,
      startDate,
      stopDate: stopDate ?? null,
      input: included ? input : null,
      output: included ? (output ?? null) : null,
      stateMachineVersionArn: null,
      stateMachineAliasArn: null,
      redriveCount: redrive?.count ?? 0,
      redriveDate: redrive?.date ?? null,
      redriveStatusReason: null,
      ...redriveStatus(execution, changed),
      inputDetails: { included },
      outputDetails: output === undefined ? null : { included },
      error: error ?? null,
      cause: cause ?? null,
    },
  };
}
