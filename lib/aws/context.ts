/** AWS clients of the command line, for whichever cloud the environment names. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { SFNClient } from '@aws-sdk/client-sfn';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { ProxytuneError } from '../core/errors.ts';
import { type Cloud, noteCalls } from './call-errors.ts';

type Outputs = Readonly<Record<string, string>>;

/** Where a run lives: the clients, and the names from the stack's outputs. */
export interface Place {
  readonly s3: S3Client;
  readonly sfn: SFNClient;
  readonly sagemaker: SageMakerClient;
  readonly documents: DynamoDBDocumentClient;
  readonly bucket: string;
  readonly table: string;
  readonly machine: string;
  /** Any other output of the stack. */
  output(name: string): string;
  close(): void;
}

interface Clients {
  readonly s3: S3Client;
  readonly sfn: SFNClient;
  readonly sagemaker: SageMakerClient;
  readonly dynamo: DynamoDBClient;
}

/** @param cloud - environment and outputs, as a local cloud gives them */
export function placeOf(cloud: {
  readonly environment: Readonly<Record<string, string>>;
  readonly outputs: Outputs;
}): Place {
  const { environment } = cloud;
  const region = environment.AWS_REGION ?? 'us-east-1';
  const credentials = {
    accessKeyId: environment.AWS_ACCESS_KEY_ID ?? '',
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY ?? '',
  };
  const at = (endpoint: string | undefined) => ({
    region,
    credentials,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  const clients = {
    s3: new S3Client({ ...at(environment.AWS_ENDPOINT_URL), forcePathStyle: true }),
    sfn: new SFNClient(at(environment.AWS_ENDPOINT_URL_SFN)),
    sagemaker: new SageMakerClient(at(environment.AWS_ENDPOINT_URL_SAGEMAKER)),
    dynamo: new DynamoDBClient(at(environment.AWS_ENDPOINT_URL)),
  };
  return place(clients, cloud.outputs, 'this machine');
}

/** SageMaker throttles at a few calls a second, for the whole account. */
const PATIENT = { maxAttempts: 8, retryMode: 'adaptive' } as const;

/**
 * The stack in the account that the environment's AWS settings lead to, as any AWS tool would find it.
 * @throws UsageInvalid when there is no such stack, or nobody may ask
 */
export async function placeInAccount(stackName: string): Promise<Place> {
  const cloudFormation = new CloudFormationClient(PATIENT);
  try {
    const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }));
    const outputs = (Stacks[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]);
    const clients = {
      // Where an endpoint is set, the bucket cannot be part of its host's name.
      s3: new S3Client({ ...PATIENT, forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined }),
      sfn: new SFNClient(PATIENT),
      sagemaker: new SageMakerClient(PATIENT),
      dynamo: new DynamoDBClient(PATIENT),
    };
    return place(clients, Object.fromEntries(outputs), 'account');
  } catch (cause) {
    if (cause instanceof ProxytuneError) throw cause;
    throw new ProxytuneError('UsageInvalid', {
      what: `The stack ${stackName} cannot be asked for its outputs`,
      given: (cause as Error).message,
      allowed:
        'the name of a stack of this app that is deployed in the account and region of your AWS settings',
      remedy: 'sign in to AWS, set AWS_REGION, and name the stack as cdk deploy did',
      cause,
    });
  } finally {
    cloudFormation.destroy();
  }
}

function place({ s3, sfn, sagemaker, dynamo }: Clients, outputs: Outputs, cloud: Cloud): Place {
  const output = (name: string): string => {
    const value = outputs[name];
    if (value === undefined) throw noOutput(name, Object.keys(outputs));
    return value;
  };
  for (const client of [s3, sfn, sagemaker, dynamo]) noteCalls(client, cloud);
  return {
    s3,
    sfn,
    sagemaker,
    documents: DynamoDBDocumentClient.from(dynamo),
    bucket: output('BucketName'),
    table: output('TableName'),
    machine: output('StateMachineArn'),
    output,
    close() {
      for (const client of [s3, sfn, sagemaker, dynamo]) client.destroy();
    },
  };
}

function noOutput(name: string, known: readonly string[]): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what: `The stack has no output ${name}`,
    given: known.length === 0 ? 'a stack without outputs' : `one with ${known.join(', ')}`,
    allowed: 'a stack of this app, deployed by this version of it',
    remedy: 'name that stack, or deploy it again',
  });
}
