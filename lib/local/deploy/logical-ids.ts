/** The logical ids of deployed resources, by the names that they got. */
import { CloudFormationClient, DescribeStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import type { S3Access } from '../sagemaker/transfer/objects.ts';

/** The name of a repository is the same on each start, and that of a version is a number. */
const FIXED = ['AWS::ECR::Repository', 'AWS::Lambda::Version'];

/** Returns the logical id for each name: of an ARN or a URL its last part, because other ARNs contain only that. */
export async function logicalIds(
  access: S3Access,
  stacks: readonly string[],
): Promise<Record<string, string>> {
  const client = new CloudFormationClient(access);
  const ids: Record<string, string> = {};
  try {
    for (const StackName of stacks) {
      const { StackResources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName }));
      for (const {
        PhysicalResourceId: id = '',
        LogicalResourceId: logical = '',
        ResourceType,
      } of StackResources)
        if (!FIXED.includes(ResourceType ?? '')) ids[id.split(/[:/]/).at(-1) ?? id] = logical;
    }
    return ids;
  } finally {
    client.destroy();
  }
}
