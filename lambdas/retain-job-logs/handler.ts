/**
 * Sets the retention of the log groups that SageMaker creates, one for each kind of job in the whole account. A group
 * that already has a retention keeps it, unless it was set by an earlier deployment of ours.
 */
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { logs } from '../../lib/aws/clients.ts';
import { retainLogs } from '../../lib/aws/logs.ts';
import { answer } from '../shared/custom-resource.ts';

export async function handler(event: CloudFormationCustomResourceEvent): Promise<void> {
  await answer(event, async () => {
    const { Groups: groups, Days: days } = event.ResourceProperties as unknown as Properties;
    const before = event.RequestType === 'Update' ? event.OldResourceProperties.Days : undefined;
    for (const group of groups) await retainLogs(logs(), group, Number(days), Number(before));
  });
}

interface Properties {
  readonly Groups: readonly string[];
  /** CloudFormation passes numbers as text. */
  readonly Days: string;
}
