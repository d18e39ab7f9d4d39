/** What the end-to-end tests share: a whole cloud on this machine, and the plain AWS SDK pointed at it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  ListTrainingJobsCommand,
  ListTransformJobsCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker';
import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { type LocalCloud, startLocalCloud } from '../../lib/local/cloud.ts';
import { ensureModels } from '../../lib/local/models.ts';

const root = join(import.meta.dirname, '../..');
const shared = join(root, '../shared/photos/dreambooth/dog');

/** Five real photos where they are at hand, else the drawn ones of the example. */
export const PHOTOS = existsSync(shared) ? shared : join(root, 'examples/toy/photos');
if (PHOTOS !== shared)
  console.log('../shared/photos is not here: the drawn photos of examples/toy take their place');

/** The smallest request that still walks the whole road. */
export const SMALL = {
  category: 'dog',
  preset: 'draft',
  proxies: 12,
  consent: true,
  advanced: {
    teach: { steps: 20 },
    learn: { steps: 20 },
    synthesize: { picturesPerChunk: 4 },
    sample: { prompts: 2 },
  },
};

export interface Road {
  readonly cloud: LocalCloud;
  readonly s3: S3Client;
  readonly sfn: SFNClient;
  readonly lambda: LambdaClient;
  readonly sagemaker: SageMakerClient;
  readonly dynamo: DynamoDBClient;
  readonly bucket: string;
  readonly machine: string;
  readonly config: ClientConfig;
  end(): Promise<void>;
}

interface ClientConfig {
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** @param heartbeatSeconds - after so long without news a job is looked up */
export async function openRoad(heartbeatSeconds: number): Promise<Road> {
  const dataDir = mkdtempSync(join(tmpdir(), 'proxytune-road-'));
  const cloud = await startLocalCloud({ dataDir, heartbeatSeconds, retrySeconds: 1 });
  await ensureModels(cloud);
  const config = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const at = (name: string) => ({ ...config, endpoint: cloud.environment[name] ?? '' });
  return {
    cloud,
    config,
    s3: new S3Client({ ...at('AWS_ENDPOINT_URL'), forcePathStyle: true }),
    sfn: new SFNClient(at('AWS_ENDPOINT_URL_SFN')),
    lambda: new LambdaClient(at('AWS_ENDPOINT_URL')),
    sagemaker: new SageMakerClient(at('AWS_ENDPOINT_URL_SAGEMAKER')),
    dynamo: new DynamoDBClient(at('AWS_ENDPOINT_URL')),
    bucket: cloud.outputs.BucketName ?? '',
    machine: cloud.outputs.StateMachineArn ?? '',
    async end() {
      await cloud.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Uploads photos and, last, subject.json, as any S3 client would. @returns the version of subject.json */
export async function upload(road: Road, subject: string, request: object): Promise<string> {
  for (const file of readdirSync(PHOTOS)) {
    const Key = `subjects/${subject}/photos/${file}`;
    await road.s3.send(
      new PutObjectCommand({ Bucket: road.bucket, Key, Body: readFileSync(join(PHOTOS, file)) }),
    );
  }
  const Key = `subjects/${subject}/subject.json`;
  const put = new PutObjectCommand({ Bucket: road.bucket, Key, Body: JSON.stringify(request) });
  return (await road.s3.send(put)).VersionId ?? '';
}

export interface Ended {
  readonly name: string;
  readonly status: string;
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

/** The executions that a subject's uploads have started. */
export async function executionsOf(road: Road, subject: string) {
  const { executions = [] } = await road.sfn.send(
    new ListExecutionsCommand({ stateMachineArn: road.machine }),
  );
  return executions.filter(({ name }) => name?.startsWith(`${subject}-`));
}

/** Waits until the subject's run is over. */
export async function untilOver(road: Road, subject: string): Promise<Ended> {
  for (;;) {
    const [execution] = await executionsOf(road, subject);
    if (execution !== undefined && execution.status !== 'RUNNING') {
      const {
        name = '',
        status = '',
        error,
        cause,
      } = await road.sfn.send(new DescribeExecutionCommand({ executionArn: execution.executionArn }));
      return { name, status, error, cause };
    }
    await sleep(500);
  }
}

/** Waits until `look` finds something. */
export async function until<T>(look: () => Promise<T | undefined>, everyMs = 250): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(everyMs);
  }
}

export async function readText(road: Road, key: string): Promise<string | undefined> {
  try {
    const object = await road.s3.send(new GetObjectCommand({ Bucket: road.bucket, Key: key }));
    return await object.Body?.transformToString();
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return undefined;
    throw error;
  }
}

export async function readBytes(road: Road, key: string): Promise<Buffer> {
  const object = await road.s3.send(new GetObjectCommand({ Bucket: road.bucket, Key: key }));
  return Buffer.from((await object.Body?.transformToByteArray()) ?? []);
}

export async function listKeys(road: Road, prefix: string): Promise<string[]> {
  const page = await road.s3.send(new ListObjectsV2Command({ Bucket: road.bucket, Prefix: prefix }));
  return (page.Contents ?? []).map(({ Key }) => Key ?? '');
}

/** Names of a run's jobs, each with its status, in the order in which they were made. */
export async function jobsOf(road: Road, run: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const { TrainingJobSummaries = [] } = await road.sagemaker.send(
    new ListTrainingJobsCommand({ NameContains: run }),
  );
  for (const job of TrainingJobSummaries) found[job.TrainingJobName ?? ''] = job.TrainingJobStatus ?? '';
  const { TransformJobSummaries = [] } = await road.sagemaker.send(
    new ListTransformJobsCommand({ NameContains: run }),
  );
  for (const job of TransformJobSummaries) found[job.TransformJobName ?? ''] = job.TransformJobStatus ?? '';
  return found;
}

/** The deployed name of one of our lambdas. */
export async function lambdaName(road: Road, part: string): Promise<string> {
  const { Functions = [] } = await road.lambda.send(new ListFunctionsCommand({}));
  const name = Functions.map(({ FunctionName }) => FunctionName ?? '').find((candidate) =>
    candidate.includes(part),
  );
  if (name === undefined)
    throw new Error(`no lambda ${part} among ${Functions.map(({ FunctionName }) => FunctionName)}`);
  return name;
}
