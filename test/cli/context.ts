/** The bench's cloud as the commands see it. */
import { type AwsContext, localContext } from '../../lib/aws/context.ts';
import { type Bench, BUCKET } from '../lambdas/bench.ts';
import { JOB_PREFIX } from '../lambdas/jobs.ts';

/** Makes the context of a command, with the outputs that the bench's stack would have. Close it before the bench. */
export function contextOf(bench: Bench): AwsContext {
  return localContext({
    environment: {
      AWS_ENDPOINT_URL: bench.endpoint,
      AWS_ENDPOINT_URL_SFN: bench.states.endpoint,
      AWS_ENDPOINT_URL_SAGEMAKER: process.env.AWS_ENDPOINT_URL_SAGEMAKER ?? '',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    },
    outputs: {
      BucketName: BUCKET,
      TableName: 'ledger',
      StateMachineArn: 'none',
      JobRoleArn: process.env.JOB_ROLE_ARN ?? '',
      JobPrefix: JOB_PREFIX,
      ImageUri: process.env.IMAGE_URI ?? '',
    },
  });
}
