/** Log groups. */
import {
  type CloudWatchLogsClient,
  CreateLogGroupCommand,
  DescribeLogGroupsCommand,
  PutRetentionPolicyCommand,
  ResourceAlreadyExistsException,
} from '@aws-sdk/client-cloudwatch-logs';

/**
 * Gives a log group a retention, and creates the group if it does not exist. A retention that somebody else chose is
 * left alone.
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

/** Creates the group if it does not exist. @returns undefined when it keeps its logs for ever */
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
