/** Log groups. */
import {
  type CloudWatchLogsClient,
  CreateLogGroupCommand,
  DescribeLogGroupsCommand,
  PutRetentionPolicyCommand,
  ResourceAlreadyExistsException,
} from '@aws-sdk/client-cloudwatch-logs';

/**
 * Sets the retention of a log group, which is created if it does not exist. A retention that somebody else set stays.
 *
 * @param before - the retention that we set earlier, which may be changed. @default - none
 */
export async function retainLogs(
  client: CloudWatchLogsClient,
  group: string,
  days: number,
  before?: number,
): Promise<void> {
  const current = await retentionOf(client, group);
  if (current !== undefined && current !== before) return;
  await client.send(new PutRetentionPolicyCommand({ logGroupName: group, retentionInDays: days }));
}

/** Creates the group if it does not exist. @returns its retention; undefined if its logs never expire */
async function retentionOf(client: CloudWatchLogsClient, group: string): Promise<number | undefined> {
  try {
    await client.send(new CreateLogGroupCommand({ logGroupName: group }));
    return undefined;
  } catch (error) {
    if (!(error instanceof ResourceAlreadyExistsException)) throw error;
  }
  const { logGroups = [] } = await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: group }));
  return logGroups.find(({ logGroupName }) => logGroupName === group)?.retentionInDays;
}
