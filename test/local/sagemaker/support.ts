/** A real S3 (MiniStack), our service with the fixture container, and clients of both. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  CreateTrainingJobCommand,
  type CreateTrainingJobCommandInput,
  DescribeTrainingJobCommand,
  DescribeTransformJobCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker';
import { describeFolder } from '../../../lib/aws/model-folder/files.ts';
import { model } from '../../../lib/core/catalogue/models.ts';
import { makeManifest } from '../../../lib/core/models/manifest.ts';
import { PYTHON } from '../../../lib/local/paths.ts';
import {
  type SageMakerEvent,
  type SageMakerService,
  type SageMakerServiceOptions,
  startSageMakerService,
} from '../../../lib/local/sagemaker/index.ts';
import { freePort } from '../../../lib/local/sagemaker/jobs/server-client.ts';
import { unpack } from '../../../lib/local/sagemaker/transfer/archive.ts';

export const BUCKET = 'proxytune-test';
export const ROLE = 'arn:aws:iam::000000000000:role/proxytune-jobs';
const ACCESS = { region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

export class Bench {
  readonly folder: string;
  readonly dataDir: string;
  readonly s3: S3Client;
  readonly events: SageMakerEvent[] = [];
  readonly #s3Endpoint: string;
  readonly #ministack: ChildProcess;
  #service: SageMakerService | undefined;
  #client: SageMakerClient | undefined;

  private constructor(folder: string, endpoint: string, ministack: ChildProcess) {
    this.folder = folder;
    this.dataDir = join(folder, 'data');
    this.#s3Endpoint = endpoint;
    this.#ministack = ministack;
    this.s3 = new S3Client({ ...ACCESS, endpoint, forcePathStyle: true });
  }

  static async start(): Promise<Bench> {
    const program = join(dirname(PYTHON), 'ministack');
    if (!existsSync(program)) throw new Error(`${program} is missing: set up the virtual environment first.`);
    const folder = await mkdtemp(join(tmpdir(), 'proxytune-sagemaker-'));
    const port = await freePort();
    const env = {
      PATH: process.env.PATH,
      HOME: folder,
      TMPDIR: folder,
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
    };
    const ministack = spawn(program, [], {
      env: { ...env, S3_PERSIST: '1', S3_DATA_DIR: join(folder, 's3') },
      stdio: 'ignore',
    });
    const bench = new Bench(folder, `http://127.0.0.1:${port}`, ministack);
    const created = async () => {
      await bench.s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
      return true;
    };
    await until('MiniStack answers', () => created().catch(() => false), 30);
    return bench;
  }

  async startService(options: Partial<SageMakerServiceOptions> = {}): Promise<SageMakerService> {
    this.#service = await startSageMakerService(this.serviceOptions(options));
    this.#client = new SageMakerClient({ ...ACCESS, endpoint: this.#service.endpoint, maxAttempts: 1 });
    return this.#service;
  }

  serviceOptions(options: Partial<SageMakerServiceOptions> = {}): SageMakerServiceOptions {
    return {
      dataDir: this.dataDir,
      s3: { ...ACCESS, endpoint: this.#s3Endpoint },
      putEvent: async (event) => {
        this.events.push(event);
      },
      commands: { train: [PYTHON, fixture('train.py')], serve: [PYTHON, fixture('serve.py')] },
      stopGraceSeconds: 1,
      ...options,
    };
  }

  get service(): SageMakerService {
    if (!this.#service) throw new Error('The service was not started.');
    return this.#service;
  }

  get client(): SageMakerClient {
    if (!this.#client) throw new Error('The service was not started.');
    return this.#client;
  }

  async close(): Promise<void> {
    await this.#service?.close();
    const ended = once(this.#ministack, 'exit');
    this.#ministack.kill('SIGKILL');
    await ended;
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async put(key: string, content: string | Buffer): Promise<void> {
    const ContentLength = Buffer.byteLength(content);
    await this.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: content, ContentLength }));
  }

  async get(key: string): Promise<Buffer> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  async keys(prefix: string): Promise<string[]> {
    const { Contents } = await this.s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
    return (Contents ?? []).map((object) => object.Key ?? '').sort();
  }

  /** Reads what an archive of the bucket contains. @param read - gets the folder, which is deleted after it */
  async unpacked<Result>(key: string, read: (folder: string) => Promise<Result>): Promise<Result> {
    const folder = await mkdtemp(join(this.folder, 'artifact-'));
    try {
      await writeFile(join(folder, 'a.tar.gz'), await this.get(key));
      await unpack(join(folder, 'a.tar.gz'), join(folder, 'content'));
      return await read(join(folder, 'content'));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  createTraining(name: string, changes: Partial<CreateTrainingJobCommandInput> = {}) {
    return this.client.send(new CreateTrainingJobCommand(trainingRequest(name, changes)));
  }

  /** The secondary statuses of a training job, in the order of their events. */
  trainingStatuses(name: string) {
    return this.events
      .filter((event) => event.Detail.TrainingJobName === name)
      .map((event) => event.Detail.SecondaryStatus);
  }

  describeTraining(name: string) {
    return this.client.send(new DescribeTrainingJobCommand({ TrainingJobName: name }));
  }

  describeTransform(name: string) {
    return this.client.send(new DescribeTransformJobCommand({ TransformJobName: name }));
  }

  async trainingEnd(name: string) {
    await until(`${name} ends`, async () => ended((await this.describeTraining(name)).TrainingJobStatus), 30);
    return this.describeTraining(name);
  }

  async transformEnd(name: string) {
    await until(
      `${name} ends`,
      async () => ended((await this.describeTransform(name)).TransformJobStatus),
      30,
    );
    return this.describeTransform(name);
  }
}

function ended(status: string | undefined): boolean {
  return ['Completed', 'Failed', 'Stopped'].includes(status ?? '');
}

/** A valid request with changes. */
export function trainingRequest(
  name: string,
  changes: Partial<CreateTrainingJobCommandInput> = {},
): CreateTrainingJobCommandInput {
  return {
    TrainingJobName: name,
    RoleArn: ROLE,
    AlgorithmSpecification: { TrainingImage: 'proxytune:latest', TrainingInputMode: 'File' },
    OutputDataConfig: { S3OutputPath: `s3://${BUCKET}/out` },
    ResourceConfig: { InstanceType: 'ml.g5.xlarge', InstanceCount: 1, VolumeSizeInGB: 30 },
    StoppingCondition: { MaxRuntimeInSeconds: 60 },
    ...changes,
  };
}

/** Polls until the condition is met. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  seconds = 10,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Timed out after ${seconds} s: ${what}.`);
    await sleep(50);
  }
}

/** Returns true if a process exists (zombies do not count). */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Links a model under a key of the bucket. @returns its folder */
export async function linkedModel(bench: Bench, id: string): Promise<string> {
  const folder = realpathSync(mkdtempSync(join(bench.folder, 'linked-')));
  mkdirSync(join(folder, 'unet'));
  writeFileSync(join(folder, 'config.json'), '{}');
  writeFileSync(join(folder, 'unet/weights'), 'W');
  const origin = { source: folder, importedAt: new Date(), linked: folder };
  const manifest = makeManifest(model('dino-vits16'), origin, await describeFolder(folder));
  await bench.put(`models/${id}/manifest.json`, JSON.stringify(manifest));
  return folder;
}
