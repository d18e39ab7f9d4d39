/** CloudFormation stacks. */
import { type CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';

/** The status of a stack, such as `DELETE_IN_PROGRESS`. */
export async function stackStatus(client: CloudFormationClient, stackName: string): Promise<string> {
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stackName }));
  return Stacks[0]?.StackStatus ?? '';
}
