/**
 * AWS clients. Those for lambdas are made on first use and kept for the next invocation of a warm one: endpoint, region
 * and credentials come from the environment alone, so the same bundle speaks to AWS and to the local cloud.
 */
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECRClient } from '@aws-sdk/client-ecr';
import { S3Client } from '@aws-sdk/client-s3';
import { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';

/**
 * SageMaker's control plane throttles at a few calls a second and account-wide: adaptive mode slows down with it, and
 * eight attempts outlast a minute of throttling, which three (the SDK's default) do not.
 */
export const RETRY = { maxAttempts: 8, retryMode: 'adaptive' } as const;

/** Settings of a client. Those left out are found in the environment, as any AWS tool finds them. */
export interface ClientSettings {
  readonly region?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly endpoint?: string;
  readonly maxAttempts?: number;
  readonly retryMode?: 'adaptive';
}

export const s3 = /* @__PURE__ */ once(() => makeS3(RETRY));
export const cloudformation = /* @__PURE__ */ once(() => new CloudFormationClient(RETRY));
export const logs = /* @__PURE__ */ once(() => new CloudWatchLogsClient(RETRY));
export const dynamo = /* @__PURE__ */ once(() => new DynamoDBClient(RETRY));
export const ecr = /* @__PURE__ */ once(() => new ECRClient(RETRY));
export const sfn = /* @__PURE__ */ once(() => new SFNClient(RETRY));
export const sagemaker = /* @__PURE__ */ once(() => new SageMakerClient(RETRY));
export const sns = /* @__PURE__ */ once(() => new SNSClient(RETRY));

/** Settings for the local cloud, from the environment that reaches it. */
export function localSettings(
  environment: Readonly<Record<string, string>>,
  endpoint: string | undefined,
): ClientSettings {
  return {
    region: environment.AWS_REGION ?? 'us-east-1',
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID ?? 'local',
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY ?? 'local',
    },
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** The cloud on this machine answers on one host name, where a bucket cannot be part of it. */
export function makeS3(settings: ClientSettings): S3Client {
  const oneHost = settings.endpoint !== undefined || process.env.AWS_ENDPOINT_URL !== undefined;
  return new S3Client({ ...settings, forcePathStyle: oneHost });
}

/** A function that makes something on its first call, and gives the same from then on. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
