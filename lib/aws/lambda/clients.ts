/**
 * AWS clients, each made on first use and kept for the next invocation of a warm lambda. Endpoint, region and
 * credentials come from the environment alone, so the same bundle speaks to AWS and to the one-machine cloud.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';

/**
 * SageMaker's control plane throttles at a few calls a second and account-wide: adaptive mode slows down with it, and
 * eight attempts outlast a minute of throttling, which three (the SDK's default) do not.
 */
const RETRY = { maxAttempts: 8, retryMode: 'adaptive' } as const;

export const s3 = /* @__PURE__ */ once(
  // The one-machine cloud answers on one host name, where a bucket cannot be part of it.
  () => new S3Client({ ...RETRY, forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined }),
);
export const dynamo = /* @__PURE__ */ once(() => new DynamoDBClient(RETRY));
export const sfn = /* @__PURE__ */ once(() => new SFNClient(RETRY));
export const sagemaker = /* @__PURE__ */ once(() => new SageMakerClient(RETRY));
export const sns = /* @__PURE__ */ once(() => new SNSClient(RETRY));

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
