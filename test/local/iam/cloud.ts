/** An emulator that judges, our two services that ask it, and roles that a test furnishes. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DescribeTrainingJobCommand, SageMakerClient } from '@aws-sdk/client-sagemaker';
import { SFNClient } from '@aws-sdk/client-sfn';
import { choosePort, type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import { type Call, EmulatorAuthorizer } from '../../../lib/local/iam/authorizer.ts';
import { type AuthorizedCall, parseTrace } from '../../../lib/local/iam/trace.ts';
import { PYTHON } from '../../../lib/local/paths.ts';
import { type SageMakerService, startSageMakerService } from '../../../lib/local/sagemaker/index.ts';
import { type StatesServiceHandle, startStatesService } from '../../../lib/local/states/service.ts';
import { clientConfig, createRole, emulatorOptions, NODE, temporaryFolder } from '../emulator/helpers.ts';

const SECRET = 'secret-of-this-test';
export const BUCKET = 'iam-test';
export const ACCOUNT = '000000000000';

/** A container that prints who it is, and may leave a checkpoint. */
const CONTAINER = "console.log('KEY', process.env.AWS_ACCESS_KEY_ID ?? 'none')";

const MODEL_SERVER = join(import.meta.dirname, '../sagemaker/fixtures/serve.py');

export class JudgingCloud {
  readonly authorizer: EmulatorAuthorizer;
  readonly endpoint: string;
  readonly folder: string;
  readonly #emulator: Emulator;
  readonly #sagemaker: SageMakerService;
  readonly #states: StatesServiceHandle;

  private constructor(
    folder: string,
    emulator: Emulator,
    authorizer: EmulatorAuthorizer,
    services: { sagemaker: SageMakerService; states: StatesServiceHandle },
  ) {
    this.folder = folder;
    this.#emulator = emulator;
    this.endpoint = emulator.endpoint;
    this.authorizer = authorizer;
    this.#sagemaker = services.sagemaker;
    this.#states = services.states;
  }

  static async start(): Promise<JudgingCloud> {
    const folder = temporaryFolder();
    const port = await choosePort(join(folder, 'port'));
    const trace = join(folder, 'trace');
    const emulator = await startEmulator({ ...emulatorOptions(folder), port, secret: SECRET, trace });
    const authorizer = new EmulatorAuthorizer(emulator.endpoint, SECRET);
    const sagemaker = await startSageMakerService({
      dataDir: join(folder, 'sagemaker'),
      s3: clientConfig(emulator.endpoint),
      commands: { train: [NODE, '-e', CONTAINER], serve: [PYTHON, MODEL_SERVER] },
      stopGraceSeconds: 1,
      authorizer,
    });
    const states = await startStatesService({
      dataDir: join(folder, 'states'),
      invokeLambda: async () => ({ statusCode: 200, executedVersion: '1', payload: '{}' }),
      authorizer,
    });
    const cloud = new JudgingCloud(folder, emulator, authorizer, { sagemaker, states });
    await cloud.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
    return cloud;
  }

  async close(): Promise<void> {
    await this.#states.close();
    await this.#sagemaker.close();
    this.authorizer.close();
    await this.#emulator.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Creates a role that a service trusts. @returns its ARN */
  role(name: string, service: string, ...statements: object[]): Promise<string> {
    return createRole(this.endpoint, name, { Principal: { Service: service } }, statements);
  }

  /** Clients with the keys of a session of a lambda's role that has these statements. */
  async as(name: string, ...statements: object[]) {
    const role = await this.role(name, 'lambda.amazonaws.com', ...statements);
    const source = `arn:aws:lambda:us-east-1:${ACCOUNT}:function:${name}`;
    const keys = await this.authorizer.session({ service: 'lambda.amazonaws.com', role, source }, name);
    return this.clients(keys);
  }

  clients(credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }) {
    const common = { region: 'us-east-1', credentials, maxAttempts: 1 };
    return {
      sagemaker: new SageMakerClient({ ...common, endpoint: this.#sagemaker.endpoint }),
      sfn: new SFNClient({ ...common, endpoint: this.#states.endpoint }),
      s3: new S3Client({ ...common, endpoint: this.endpoint, forcePathStyle: true }),
    };
  }

  get statesEndpoint(): string {
    return this.#states.endpoint;
  }

  /** The account's own clients. */
  get own() {
    return this.clients({ accessKeyId: 'local', secretAccessKey: 'local' });
  }

  s3(): S3Client {
    return this.own.s3;
  }

  async put(key: string, body: string): Promise<void> {
    await this.s3().send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body }));
  }

  /** Waits for the end of a training. @returns its status, reason of failure, and log */
  async trainingEnd(name: string) {
    for (;;) {
      const job = await this.own.sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: name }));
      if (!['InProgress', 'Stopping'].includes(job.TrainingJobStatus ?? '')) {
        const log = readFileSync(join(this.folder, 'sagemaker/jobs', name, 'log.txt'), 'utf8');
        return { status: job.TrainingJobStatus, reason: job.FailureReason, log };
      }
      await sleep(100);
    }
  }

  /** The calls that were judged so far. */
  trace(): AuthorizedCall[] {
    return parseTrace(readFileSync(join(this.folder, 'trace'), 'utf8'));
  }
}

export function allow(action: string | string[], resource: string | string[] = '*', more: object = {}) {
  return { Effect: 'Allow', Action: action, Resource: resource, ...more };
}

/** The error of a call, as `Name: message`; undefined if it succeeds. */
export async function errorOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

/** AWS's sentence for a call of a session that no policy allows. */
export function sentence(role: string, { action, resource }: Call): string {
  return (
    `User: arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${role} is not authorized to perform: ${action} ` +
    `on resource: ${resource} because no identity-based policy allows the ${action} action`
  );
}
