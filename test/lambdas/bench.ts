/**
 * Shared by the tests of the lambdas: the emulator with a bucket, a table and a topic, our Step Functions and SageMaker
 * services with a container of a few lines, and the environment that the stack gives a lambda.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { handler as completeJob } from '../../lambdas/complete-job/handler.ts';
import { handler as planRun } from '../../lambdas/plan-run/handler.ts';
import { handler as reconcileJob } from '../../lambdas/reconcile-job/handler.ts';
import { handler as startJob } from '../../lambdas/start-job/handler.ts';
import { dynamo, ecr, s3, sagemaker, sfn, sns } from '../../lib/aws/clients.ts';
import type { JobsContext } from '../../lib/aws/jobs.ts';
import type { BucketContext } from '../../lib/aws/s3.ts';
import { documents, type TableContext } from '../../lib/aws/table.ts';
import { instanceTypes } from '../../lib/core/catalogue/instances.ts';
import { model } from '../../lib/core/catalogue/models.ts';
import { keys } from '../../lib/core/keys.ts';
import { digestOf, makeManifest } from '../../lib/core/models/manifest.ts';
import { runId as runIdOf } from '../../lib/core/names.ts';
import type { JobStage } from '../../lib/core/words.ts';
import { registerImage } from '../../lib/local/deploy/image.ts';
import { type Emulator, startEmulator } from '../../lib/local/emulator/start.ts';
import { PYTHON } from '../../lib/local/paths.ts';
import {
  type SageMakerEvent,
  type SageMakerService,
  type SageMakerServiceOptions,
  startSageMakerService,
} from '../../lib/local/sagemaker/index.ts';
import { eventually, NODE } from '../local/emulator/helpers.ts';
import { Harness, machine, ROLE, WAIT_FOR_TOKEN } from '../local/states/harness.ts';
import { Gate } from './gate.ts';
import { JOB_PREFIX, jobEnd } from './jobs.ts';
import { Mailbox, type Notice } from './mailbox.ts';
import { createTable, KEYS_OF_RUNS } from './tables.ts';

export const BUCKET = 'lambdas-test';
const ACCESS = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
const CONTAINER = join(import.meta.dirname, 'fixtures/container.ts');

/** The container image of the bench's jobs, which its ECR has. */
export const IMAGE = {
  registry: '000000000000.dkr.ecr.us-east-1.amazonaws.com',
  repository: 'proxytune',
  tag: 'test',
};

/** A request whose jobs are the smallest there are: four proxies' chunks, four chunks of samples a model. */
export const REQUEST = {
  category: 'dog',
  consent: true,
  preset: 'draft',
  proxies: 8,
  advanced: { synthesize: { picturesPerChunk: 2 }, sample: { prompts: 2, picturesPerPrompt: 1 } },
};

export class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'proxytune-lambdas-'));
  /** The state machine's service, on a clock that the test moves. */
  readonly states = new Harness({ 'start-job': startJob });
  /** Everything SageMaker emitted; nothing receives it unless the test delivers it. */
  readonly events: SageMakerEvent[] = [];
  #mailbox: Mailbox | undefined;
  #emulator: Emulator | undefined;
  #sagemaker: SageMakerService | undefined;
  #gate: Gate | undefined;
  #machine = '';

  /** @param options - of the SageMaker service, for what SageMaker does not document */
  static async start(options: Partial<SageMakerServiceOptions> = {}): Promise<Bench> {
    const bench = new Bench();
    mkdirSync(join(bench.folder, 'control'));
    bench.#emulator = await startEmulator({ dataDir: bench.folder, python: PYTHON, node: NODE });
    await bench.states.open();
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: bench.endpoint,
      AWS_ENDPOINT_URL_SFN: bench.states.endpoint,
      AWS_ENDPOINT_URL_SAGEMAKER: await bench.#startSageMaker(options),
      AWS_REGION: ACCESS.region,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      BUCKET,
      TABLE: 'ledger',
      MODEL_SCALE: 'tiny',
      VERSION: '0.0.0-test',
      INSTANCE_TYPES: instanceTypes().join(','),
      JOB_PREFIX,
      JOB_ROLE_ARN: ROLE.replace('machine', 'jobs'),
      IMAGE_URI: `${IMAGE.registry}/${IMAGE.repository}:${IMAGE.tag}`,
    });
    await registerImage(ecr(), IMAGE);
    await Promise.all([bench.#makeBucket(), createTable('ledger', KEYS_OF_RUNS), bench.#openMailbox()]);
    return bench;
  }

  /** The stack as its lambdas reach it. */
  get context(): BucketContext & TableContext & JobsContext {
    return { s3: s3(), bucket: BUCKET, documents: documents(), table: 'ledger', sagemaker: sagemaker() };
  }

  get endpoint(): string {
    return this.#emulator?.endpoint ?? '';
  }

  get gate(): Gate {
    if (this.#gate === undefined) throw new Error('the bench was not started');
    return this.#gate;
  }

  async close(): Promise<void> {
    await this.states.close();
    await this.#gate?.close();
    await this.#sagemaker?.close();
    for (const client of [s3, dynamo, ecr, sfn, sagemaker, sns]) client().destroy();
    await this.#emulator?.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Tells the container what to do in a job, or as a model server (`serve`). */
  control(name: string, behaviour: object): void {
    writeFileSync(join(this.folder, 'control', `${name}.json`), JSON.stringify(behaviour));
  }

  async put(key: string, text: string): Promise<string> {
    const { VersionId = '' } = await s3().send(
      new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: text }),
    );
    return VersionId;
  }

  async get(key: string): Promise<{ text: string; type: string | undefined }> {
    const { Body, ContentType } = await s3().send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    return { text: (await Body?.transformToString()) ?? '', type: ContentType };
  }

  async exists(key: string): Promise<boolean> {
    return s3()
      .send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }))
      .then(
        () => true,
        () => false,
      );
  }

  async delete(key: string): Promise<void> {
    await s3().send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
  }

  /** Removes an item of the table, for a test to write it again. */
  async forget(pk: string, sk: string): Promise<void> {
    await dynamo().send(
      new DeleteItemCommand({ TableName: 'ledger', Key: { pk: { S: pk }, sk: { S: sk } } }),
    );
  }

  /** Uploads a request. @returns what the execution of its run is given */
  async upload(subject: string, request: object | string = REQUEST) {
    const key = keys.request(subject);
    const version = await this.put(key, typeof request === 'string' ? request : JSON.stringify(request));
    return {
      runId: runIdOf(subject, { bucket: BUCKET, key, version }),
      bucket: BUCKET,
      subject,
      key,
      version,
    };
  }

  /** Uploads a request, plans its run and has its photos inspected. @returns the run's id */
  async plan(subject: string, request: object = REQUEST): Promise<string> {
    const { runId, referencesPrefix } = await planRun(await this.upload(subject, request));
    await this.put(`${referencesPrefix}reference-00.png`, 'a photo');
    return runId;
  }

  /** Completes a stage as the machine does, with reconcile-job. @returns the job's name */
  async finish(runId: string, stage: JobStage, round = 1): Promise<string> {
    const { jobName } = await startJob({ runId, stage, round, taskToken: 'nobody waits' });
    await jobEnd(jobName);
    const { over } = await reconcileJob({ runId, stage, round });
    if (!over) throw new Error(`${jobName} has ended and is not over`);
    return jobName;
  }

  /** The last event SageMaker emitted about a job, as EventBridge hands it to complete-job. */
  async lastEvent(jobName: string): Promise<Parameters<typeof completeJob>[0]> {
    const own = () => this.events.filter(({ Resources: [arn] }) => arn?.endsWith(`/${jobName}`)).at(-1);
    const { Source, DetailType, Detail, Resources } = await eventually(async () => own());
    return {
      version: '0',
      id: 'event',
      source: Source,
      account: '000000000000',
      time: new Date().toISOString(),
      region: ACCESS.region,
      resources: [...Resources],
      'detail-type': DetailType,
      detail: Detail,
    };
  }

  /** Starts a machine of one job state, and waits until start-job has done its part. @returns the execution's ARN */
  async walk(runId: string, stage: JobStage): Promise<string> {
    const arn = await this.states.start(
      {
        Job: {
          Type: 'Task',
          Resource: WAIT_FOR_TOKEN,
          Arguments: {
            FunctionName: 'start-job',
            Payload: { runId, stage, taskToken: '{% $states.context.Task.Token %}' },
          },
          HeartbeatSeconds: 60,
          TimeoutSeconds: 3600,
          End: true,
        },
      },
      { runId },
    );
    await eventually(async () =>
      (await this.states.types(arn)).includes('TaskSubmitted') ? true : undefined,
    );
    return arn;
  }

  /** Starts an execution that waits for ever under a name of the test's choice. @returns its ARN */
  async startWaiting(name: string, input: string): Promise<string> {
    this.#machine ||= await this.states.create(machine({ Wait: { Type: 'Wait', Seconds: 1000, End: true } }));
    const { executionArn = '' } = await this.states.sfn.send(
      new StartExecutionCommand({ stateMachineArn: this.#machine, name, input }),
    );
    return executionArn;
  }

  /** The notices about a run so far; those of other runs stay for their own tests. */
  async notices(runId: string): Promise<Notice[]> {
    if (this.#mailbox === undefined) throw new Error('the bench was not started');
    return this.#mailbox.of(runId);
  }

  async #startSageMaker(options: Partial<SageMakerServiceOptions>): Promise<string> {
    this.#sagemaker = await startSageMakerService({
      dataDir: join(this.folder, 'sagemaker'),
      s3: { ...ACCESS, endpoint: this.endpoint },
      putEvent: async (event) => {
        this.events.push(event);
      },
      commands: { train: [NODE, CONTAINER, 'train'], serve: [NODE, CONTAINER, 'serve'] },
      containerEnv: { CONTROL: join(this.folder, 'control') },
      stopGraceSeconds: 1,
      maxConcurrentJobs: 8,
      ...options,
    });
    this.#gate = new Gate(this.#sagemaker.endpoint);
    return this.#gate.open();
  }

  async #makeBucket(): Promise<void> {
    await s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
    await s3().send(
      new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration: { Status: 'Enabled' } }),
    );
    for (const id of ['sdxl-tiny', 'llamagen-tiny', 'clip-tiny', 'dino-tiny']) await this.putModel(id);
  }

  /** Stores a model of one small file, as import-model does. @returns the digest of its files */
  async putModel(id: string, content = '{}'): Promise<string> {
    await this.put(`${keys.model(id)}config.json`, content);
    const sum = (algorithm: string) => createHash(algorithm).update(content).digest('hex');
    const file = {
      path: 'config.json',
      size: content.length,
      sha256: sum('sha256'),
      etag: sum('md5'),
      modified: null,
    };
    const origin = { source: 'a test', importedAt: new Date() };
    const manifest = makeManifest(model(id), origin, [file]);
    await this.put(keys.modelManifest(id), JSON.stringify(manifest));
    return digestOf(manifest);
  }

  async #openMailbox(): Promise<void> {
    this.#mailbox = await Mailbox.open(this.endpoint);
    process.env.TOPIC_ARN = this.#mailbox.topicArn;
  }
}
