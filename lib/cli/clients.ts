/** AWS clients of the command line, for whichever cloud the environment names. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** Where a run lives: the clients, and the names from the stack's outputs. */
export interface Place {
  readonly s3: S3Client;
  readonly sfn: SFNClient;
  readonly documents: DynamoDBDocumentClient;
  readonly bucket: string;
  readonly table: string;
  readonly machine: string;
  close(): void;
}

/** @param cloud - environment and outputs, as a local cloud gives them */
export function placeOf(cloud: {
  readonly environment: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
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
  const s3 = new S3Client({ ...at(environment.AWS_ENDPOINT_URL), forcePathStyle: true });
  const sfn = new SFNClient(at(environment.AWS_ENDPOINT_URL_SFN));
  const dynamo = new DynamoDBClient(at(environment.AWS_ENDPOINT_URL));
  return {
    s3,
    sfn,
    documents: DynamoDBDocumentClient.from(dynamo),
    bucket: output(cloud.outputs, 'BucketName'),
    table: output(cloud.outputs, 'TableName'),
    machine: output(cloud.outputs, 'StateMachineArn'),
    close() {
      for (const client of [s3, sfn, dynamo]) client.destroy();
    },
  };
}

function output(outputs: Readonly<Record<string, string>>, name: string): string {
  const value = outputs[name];
  if (value === undefined) throw new Error(`the stack has no output ${name}`);
  return value;
}
