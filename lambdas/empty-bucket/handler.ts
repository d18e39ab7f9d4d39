/**
 * Empties the bucket before CloudFormation deletes it, which it refuses while the bucket has objects. Only deployments
 * with `removeData` have this lambda.
 */
import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda';
import { cloudformation } from '../../lib/aws/clients.ts';
import { emptyBucket } from '../../lib/aws/empty-bucket.ts';
import { stackStatus } from '../../lib/aws/stacks.ts';
import { bucketNamed } from '../shared/context.ts';
import { answer } from '../shared/custom-resource.ts';

/** For the last requests to S3 and the answer. */
const MARGIN_MS = 30_000;

/**
 * While the whole stack is deleted, or rolled back after its first deployment failed. A deployment without `removeData`
 * deletes this resource too, as a part of an update: it keeps the bucket with everything in it.
 */
const STACK_IS_DELETED = ['DELETE_IN_PROGRESS', 'ROLLBACK_IN_PROGRESS'];

export async function handler(
  event: CloudFormationCustomResourceEvent,
  lambda: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<void> {
  const deadline = Date.now() + lambda.getRemainingTimeInMillis() - MARGIN_MS;
  await answer(
    event,
    async () => {},
    async ({ ResourceProperties: { BucketName: bucket }, StackId }) => {
      const [, stackName = ''] = StackId.split('/');
      if (!STACK_IS_DELETED.includes(await stackStatus(cloudformation(), stackName))) return;
      await emptyBucket(bucketNamed(bucket), deadline);
    },
  );
}
