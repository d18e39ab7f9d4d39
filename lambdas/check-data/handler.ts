/**
 * Checks a bucket and a table that a deployment adopts, before any run depends on them: CloudFormation can neither
 * read nor change the settings of a bucket that it has not created. A deployment fails with a list of what is missing.
 */
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { bucketFaults, tableFaults } from '../../lib/aws/adoption.ts';
import { dynamo } from '../../lib/aws/clients.ts';
import { bucketNamed } from '../shared/context.ts';
import { answer } from '../shared/custom-resource.ts';

export async function handler(event: CloudFormationCustomResourceEvent): Promise<void> {
  await answer(event, async ({ ResourceProperties: { BucketName: bucket, TableName: table } }) => {
    const faults = [
      ...(bucket === undefined ? [] : await bucketFaults(bucketNamed(bucket))),
      ...(table === undefined ? [] : await tableFaults(dynamo(), table)),
    ];
    if (faults.length > 0) throw new Error(`Proxytune cannot adopt this data: ${faults.join('; ')}`);
  });
}
