/** Everything that a command needs to work in one cloud: its clients, and the names from its stack's outputs. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { SFNClient } from '@aws-sdk/client-sfn';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { requireSupportedRegion } from '../core/catalogue/regions.ts';
import { ProxytuneError } from '../core/errors.ts';
import { type ClientSettings, localSettings, makeS3, once, RETRY } from './clients.ts';
import { type Cloud, rememberCalls } from './errors.ts';
import type { ExecutionsContext } from './executions.ts';
import type { JobsContext } from './jobs.ts';
import type { BucketContext } from './s3.ts';
import { makeDocuments, type TableContext } from './table.ts';

type Outputs = Readonly<Record<string, string>>;

/** A cloud with a stack of ours, in an account or on this machine. */
export interface AwsContext extends BucketContext, TableContext, JobsContext, ExecutionsContext {
  readonly stateMachine: string;
  /** Any other output of the stack. @throws UsageInvalid */
  output(name: string): string;
  close(): void;
}

/** @param cloud - environment and outputs, as a local cloud gives them */
export function localContext({
  environment,
  outputs,
}: {
  readonly environment: Readonly<Record<string, string>>;
  readonly outputs: Outputs;
}): AwsContext {
  const endpoints = {
    S3: environment.AWS_ENDPOINT_URL,
    DynamoDB: environment.AWS_ENDPOINT_URL,
    SFN: environment.AWS_ENDPOINT_URL_SFN,
    SageMaker: environment.AWS_ENDPOINT_URL_SAGEMAKER,
  };
  // Without RETRY: nothing throttles here, and a service that has ended is to be reported at once.
  const clients = clientsFor('this machine', (service) => localSettings(environment, endpoints[service]));
  return contextOf(clients, outputs);
}

/**
 * The stack in the account that the environment's AWS settings lead to, as any AWS tool would find it.
 * @throws UsageInvalid when there is no such stack, its description is not allowed, or the region is not supported
 */
export async function stackContext(stackName: string): Promise<AwsContext> {
  const cloudFormation = new CloudFormationClient(RETRY);
  try {
    requireSupportedRegion(await cloudFormation.config.region());
    const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }));
    const outputs = (Stacks[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]);
    return contextOf(
      clientsFor('account', () => RETRY),
      Object.fromEntries(outputs),
    );
  } catch (cause) {
    if (cause instanceof ProxytuneError) throw cause;
    throw new ProxytuneError('UsageInvalid', {
      what: `The outputs of the stack ${stackName} cannot be read`,
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

/** The clients that the command line uses in one cloud. */
export interface Clients {
  readonly s3: S3Client;
  readonly sfn: SFNClient;
  readonly sagemaker: SageMakerClient;
  readonly documents: DynamoDBDocumentClient;
  close(): void;
}

/** Makes the clients of a cloud on first use; their errors remember the call and the cloud they came from. */
export function clientsFor(
  cloud: Cloud,
  settings: (service: 'S3' | 'DynamoDB' | 'SFN' | 'SageMaker') => ClientSettings,
): Clients {
  const made: { destroy(): void }[] = [];
  const kept = <T extends { destroy(): void }>(make: () => T) =>
    once(() => {
      const client = make();
      rememberCalls(client, cloud);
      made.push(client);
      return client;
    });
  const clients = {
    s3: kept(() => makeS3(settings('S3'))),
    sfn: kept(() => new SFNClient(settings('SFN'))),
    sagemaker: kept(() => new SageMakerClient(settings('SageMaker'))),
    dynamo: kept(() => new DynamoDBClient(settings('DynamoDB'))),
  };
  const ownDocuments = once(() => makeDocuments(clients.dynamo()));
  return {
    get s3() {
      return clients.s3();
    },
    get sfn() {
      return clients.sfn();
    },
    get sagemaker() {
      return clients.sagemaker();
    },
    get documents() {
      return ownDocuments();
    },
    close() {
      for (const client of made) client.destroy();
    },
  };
}

function contextOf(clients: Clients, outputs: Outputs): AwsContext {
  const output = (name: string): string => {
    const value = outputs[name];
    if (value === undefined) throw noOutput(name, Object.keys(outputs));
    return value;
  };
  const names = {
    bucket: output('BucketName'),
    table: output('TableName'),
    stateMachine: output('StateMachineArn'),
    output,
  };
  // Not spread: that would make every client.
  return Object.assign(Object.create(clients) as Clients, names);
}

function noOutput(name: string, known: readonly string[]): ProxytuneError {
  return new ProxytuneError('UsageInvalid', {
    what: `The stack has no output ${name}`,
    given: known.length === 0 ? 'a stack without outputs' : `one with ${known.join(', ')}`,
    allowed: 'a stack of this app, deployed by this version of it',
    remedy: 'name that stack, or deploy it again',
  });
}
