/** Helpers of the end-to-end tests: a local cloud and AWS SDK clients for it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  ListTrainingJobsCommand,
  ListTransformJobsCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker';
import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { jobPrefix } from '../../lib/core/names.ts';
import { type LocalCloud, startLocalCloud } from '../../lib/local/cloud.ts';
import { ensureModels } from '../../lib/local/models.ts';
import { eventually } from '../local/emulator/helpers.ts';

/** Prefix of the names of all jobs. */
export const JOB_PREFIX = jobPrefix('Proxytune');
const root = join(import.meta.dirname, '../..');
const shared = join(root, '../shared/photos/dreambooth/dog');

/** Five real photos if present, otherwise the drawn ones of the example. */
export const PHOTOS = existsSync(shared) ? shared : join(root, 'examples/toy/photos');
if (PHOTOS !== shared)
  console.log('../shared/photos is missing: using the drawn photos of examples/toy instead');

/** The smallest request that runs the complete pipeline. */
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

export interface TestCloud {
  readonly local: LocalCloud;
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

export interface CloudOptions {
  /** The file for the trace of authorization, written at the end. @default - no trace */
  readonly trace?: string;
  /** The data of an earlier cloud, kept afterwards. @default - a temporary folder */
  readonly dataDir?: string;
}

/** @param heartbeatSeconds - time without a heartbeat after which a job is looked up */
export async function openCloud(heartbeatSeconds: number, options: CloudOptions = {}): Promise<TestCloud> {
  const { trace, dataDir = mkdtempSync(join(tmpdir(), 'proxytune-cloud-')) } = options;
  const traced = trace === undefined ? {} : { trace };
  const local = await startLocalCloud({ dataDir, heartbeatSeconds, retrySeconds: 1, ...traced });
  await ensureModels(local);
  const config = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const at = (name: string) => ({ ...config, endpoint: local.environment[name] ?? '' });
  return {
    local,
    config,
    s3: new S3Client({ ...at('AWS_ENDPOINT_URL'), forcePathStyle: true }),
    sfn: new SFNClient(at('AWS_ENDPOINT_URL_SFN')),
    lambda: new LambdaClient(at('AWS_ENDPOINT_URL')),
    sagemaker: new SageMakerClient(at('AWS_ENDPOINT_URL_SAGEMAKER')),
    dynamo: new DynamoDBClient(at('AWS_ENDPOINT_URL')),
    bucket: local.outputs.BucketName ?? '',
    machine: local.outputs.StateMachineArn ?? '',
    async end() {
      await local.close();
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Uploads a caption of the first photo, as people write them; subject.json must come later. */
export async function uploadCaption(cloud: TestCloud, subject: string, caption: string): Promise<void> {
  const [first = ''] = readdirSync(PHOTOS).sort();
  const Key = `subjects/${subject}/photos/${first.replace(/\.\w+$/, '.txt')}`;
  await cloud.s3.send(new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: caption }));
}

/** Uploads photos and then subject.json, like any S3 client. @returns the version of subject.json */
export async function upload(cloud: TestCloud, subject: string, request: object): Promise<string> {
  for (const file of readdirSync(PHOTOS)) {
    const Key = `subjects/${subject}/photos/${file}`;
    await cloud.s3.send(
      new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: readFileSync(join(PHOTOS, file)) }),
    );
  }
  const Key = `subjects/${subject}/subject.json`;
  const put = new PutObjectCommand({ Bucket: cloud.bucket, Key, Body: JSON.stringify(request) });
  return (await cloud.s3.send(put)).VersionId ?? '';
}

export interface Ended {
  readonly name: string;
  readonly status: string;
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

/** Lists the executions started by a subject's uploads. */
export async function executionsOf(cloud: TestCloud, subject: string) {
  const { executions = [] } = await cloud.sfn.send(
    new ListExecutionsCommand({ stateMachineArn: cloud.machine }),
  );
  return executions.filter(({ name }) => name?.startsWith(`${subject}-`));
}

/** Waits until the subject's run has ended. */
export function untilOver(cloud: TestCloud, subject: string): Promise<Ended> {
  const end = async (): Promise<Ended | undefined> => {
    const [execution] = await executionsOf(cloud, subject);
    if (execution === undefined || execution.status === 'RUNNING') return undefined;
    const {
      name = '',
      status = '',
      error,
      cause,
    } = await cloud.sfn.send(new DescribeExecutionCommand({ executionArn: execution.executionArn }));
    return { name, status, error, cause };
  };
  return until(end, 500, `the run of ${subject}, which has not ended`);
}

/** Less than the longest test may take, so that the test fails with the name of what it waited for. */
const LONGEST_WAIT_SECONDS = 7 * 60;

/** Polls until there is a result, for at most seven minutes. @param source - as `eventually` takes it */
export function until<T>(poll: () => Promise<T | undefined>, everyMs = 250, source?: string): Promise<T> {
  return eventually(poll, LONGEST_WAIT_SECONDS, everyMs, source);
}

export async function readText(cloud: TestCloud, key: string): Promise<string | undefined> {
  try {
    const object = await cloud.s3.send(new GetObjectCommand({ Bucket: cloud.bucket, Key: key }));
    return await object.Body?.transformToString();
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return undefined;
    throw error;
  }
}

export async function readBytes(cloud: TestCloud, key: string): Promise<Buffer> {
  const object = await cloud.s3.send(new GetObjectCommand({ Bucket: cloud.bucket, Key: key }));
  return Buffer.from((await object.Body?.transformToByteArray()) ?? []);
}

export async function listKeys(cloud: TestCloud, prefix: string): Promise<string[]> {
  const page = await cloud.s3.send(new ListObjectsV2Command({ Bucket: cloud.bucket, Prefix: prefix }));
  return (page.Contents ?? []).map(({ Key }) => Key ?? '');
}

/** The statuses of a run's jobs by name, in the order of creation. */
export async function jobsOf(cloud: TestCloud, run: string): Promise<Record<string, string>> {
  const statuses: Record<string, string> = {};
  const { TrainingJobSummaries = [] } = await cloud.sagemaker.send(
    new ListTrainingJobsCommand({ NameContains: run }),
  );
  for (const job of TrainingJobSummaries) statuses[job.TrainingJobName ?? ''] = job.TrainingJobStatus ?? '';
  const { TransformJobSummaries = [] } = await cloud.sagemaker.send(
    new ListTransformJobsCommand({ NameContains: run }),
  );
  for (const job of TransformJobSummaries)
    statuses[job.TransformJobName ?? ''] = job.TransformJobStatus ?? '';
  return statuses;
}

/** Finds the deployed name of a lambda. */
export async function lambdaName(cloud: TestCloud, part: string): Promise<string> {
  const { Functions = [] } = await cloud.lambda.send(new ListFunctionsCommand({}));
  const name = Functions.map(({ FunctionName }) => FunctionName ?? '').find((candidate) =>
    candidate.includes(part),
  );
  if (name === undefined)
    throw new Error(`no lambda ${part} among ${Functions.map(({ FunctionName }) => FunctionName)}`);
  return name;
}
