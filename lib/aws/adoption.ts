/** Requirements for a bucket and a table that a deployment uses without having created them. */
import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
} from '@aws-sdk/client-s3';
import { INTERMEDIATES } from '../core/keys.ts';
import type { BucketContext } from './s3.ts';

interface Requirement {
  /** The fault when it does not hold. */
  readonly fault: string;
  /** The command of `aws s3api` that sets it. */
  readonly command: string;
  holds(context: BucketContext): Promise<boolean | undefined>;
}

/** Those that a new bucket gets too. */
const RULES = [
  {
    ID: 'unfinished-uploads',
    Status: 'Enabled',
    Filter: {},
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 },
  },
  {
    ID: 'intermediates',
    Status: 'Enabled',
    Filter: { Prefix: INTERMEDIATES },
    Expiration: { Days: 30 },
    NoncurrentVersionExpiration: { NoncurrentDays: 1 },
  },
];

const REQUIREMENTS: readonly Requirement[] = [
  {
    fault: 'versioning is off, so a run could read another request than the one that started it',
    command: 'put-bucket-versioning --versioning-configuration Status=Enabled',
    holds: async ({ s3, bucket: Bucket }) =>
      (await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status === 'Enabled',
  },
  {
    fault: 'it sends no events to EventBridge, so no upload would start a run',
    command:
      'put-bucket-notification-configuration --notification-configuration \'{"EventBridgeConfiguration": {}}\'',
    holds: async ({ s3, bucket: Bucket }) =>
      (await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).EventBridgeConfiguration !==
      undefined,
  },
  {
    fault: 'public access is not blocked',
    command:
      'put-public-access-block --public-access-block-configuration ' +
      'BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true',
    holds: async ({ s3, bucket: Bucket }) => {
      const answer = await absent('NoSuchPublicAccessBlockConfiguration', () =>
        s3.send(new GetPublicAccessBlockCommand({ Bucket })),
      );
      const blocked = answer?.PublicAccessBlockConfiguration;
      return (
        blocked?.BlockPublicAcls &&
        blocked.BlockPublicPolicy &&
        blocked.IgnorePublicAcls &&
        blocked.RestrictPublicBuckets
      );
    },
  },
  {
    fault: 'it is encrypted with a KMS key, which the roles of the deployment may not use',
    command: 'delete-bucket-encryption',
    holds: async ({ s3, bucket: Bucket }) => {
      const answer = await absent('ServerSideEncryptionConfigurationNotFoundError', () =>
        s3.send(new GetBucketEncryptionCommand({ Bucket })),
      );
      const rules = answer?.ServerSideEncryptionConfiguration?.Rules ?? [];
      return rules.every((rule) => rule.ApplyServerSideEncryptionByDefault?.SSEAlgorithm === 'AES256');
    },
  },
  {
    fault:
      'a lifecycle rule is missing: one aborts unfinished uploads, which stay invisible and billed, and one expires ' +
      `the intermediates of runs, below ${INTERMEDIATES}, and the command replaces all rules of the bucket`,
    command: `put-bucket-lifecycle-configuration --lifecycle-configuration '${JSON.stringify({ Rules: RULES })}'`,
    holds: async ({ s3, bucket: Bucket }) => {
      const answer = await absent('NoSuchLifecycleConfiguration', () =>
        s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })),
      );
      const rules = answer?.Rules?.filter(({ Status }) => Status === 'Enabled') ?? [];
      return (
        rules.some((rule) => rule.AbortIncompleteMultipartUpload !== undefined) &&
        rules.some((rule) => rule.Filter?.Prefix === INTERMEDIATES && rule.Expiration?.Days !== undefined)
      );
    },
  },
];

/**
 * Lists what a bucket lacks, with the commands that set it. A bucket from an earlier deployment of ours lacks nothing.
 *
 * @throws Error naming the bucket when there is none, or it belongs to another account
 */
export async function bucketFaults(context: BucketContext): Promise<string[]> {
  const { s3, bucket } = context;
  const region = await s3.config.region();
  const { BucketRegion = region } = await named(`the bucket ${bucket}`, () =>
    s3.send(new HeadBucketCommand({ Bucket: bucket })),
  );
  if (BucketRegion !== region) return [`the bucket ${bucket} is in ${BucketRegion}, the stack in ${region}`];
  const faults = REQUIREMENTS.map(async ({ fault, command, holds }) =>
    (await holds(context)) ? [] : [`${fault} (aws s3api ${command} --bucket ${bucket})`],
  );
  return (await Promise.all(faults)).flat();
}

/** Lists what a table lacks. @throws Error of DynamoDB when there is no such table */
export async function tableFaults(client: DynamoDBClient, table: string): Promise<string[]> {
  const { Table } = await named(`the table ${table}`, () =>
    client.send(new DescribeTableCommand({ TableName: table })),
  );
  const keys = (Table?.KeySchema ?? []).map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`);
  if (keys.toSorted().join() === 'pk HASH,sk RANGE') return [];
  return [`the table ${table} has the keys ${keys.join(', ')} instead of pk HASH, sk RANGE`];
}

/** Names what could not be read, because S3's answer to a HEAD request has no text. */
async function named<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const { name, message } = cause as Error;
    throw new Error(`${what} cannot be read: ${[...new Set([name, message])].join(': ')}`, { cause });
  }
}

/** The answer, or undefined if the bucket does not have the setting. */
async function absent<T>(error: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (cause) {
    if ((cause as Error).name === error) return undefined;
    throw cause;
  }
}
