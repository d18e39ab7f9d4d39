/**
 * The local cloud: the emulator, our Step Functions and SageMaker services, and the synthesized template deployed
 * into them. Results of runs persist in the data folder; the services end with this process.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ECRClient } from '@aws-sdk/client-ecr';
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { type ClientSettings, makeS3 } from '../aws/clients.ts';
import type { BucketContext } from '../aws/s3.ts';
import { names } from '../core/contract/names.ts';
import { ProxytuneError } from '../core/errors.ts';
import { imageReference } from '../core/plan/image.ts';
import { endAbandonedRuns } from './abandoned-runs.ts';
import { writeAddress } from './address.ts';
import { clearAwsSettings } from './aws-settings.ts';
import { emptyTemporaryFolder, openDataFolder, temporaryFolder } from './data-folder.ts';
import { deployStacks } from './deploy/deploy.ts';
import { registerImage } from './deploy/image.ts';
import { logicalIds } from './deploy/logical-ids.ts';
import { choosePort, startEmulator } from './emulator/start.ts';
import { EmulatorAuthorizer } from './iam/authorizer.ts';
import { RoleClients } from './iam/role-clients.ts';
import { finishTrace, rawTrace } from './iam/trace-file.ts';
import { lambdaPlaces } from './lambda-places.ts';
import { withLinkedListings } from './linked-models.ts';
import { describeLoss } from './lost-state.ts';
import { type Faults, startSageMakerService } from './sagemaker/index.ts';
import { STATES } from './states/api/permissions.ts';
import { invokeThrough } from './states/lambda.ts';
import { startStatesService } from './states/service.ts';

const ROOT = join(import.meta.dirname, '../..');
export const PYTHON = join(ROOT, '.venv/bin/python');
const REGION = 'us-east-1';
const STACK = 'Proxytune';
/** On AWS a container has 120 s to end; here it does not wait for a network. */
const STOP_GRACE_SECONDS = 20;

export interface LocalCloudOptions {
  /** The folder for persistent data, used by one local cloud at a time. */
  readonly dataDir: string;
  /** `full`: the imported models that a request names, instead of tiny ones. @default - tiny */
  readonly models?: 'full' | 'tiny';
  /** Seconds without a heartbeat after which a job is looked up. @default - 900, the stack's own default */
  readonly heartbeatSeconds?: number;
  /** Longest wait before a stage is retried. @default - 5, because nothing here recovers by waiting */
  readonly retrySeconds?: number;
  /**
   * A file that gets the trace of authorization when the cloud is closed: every call that IAM judged.
   * @default - no trace
   */
  readonly trace?: string;
  /** Aborts the start between two of its steps. @default - it cannot be aborted */
  readonly signal?: AbortSignal;
  /** Called with each line of the log. @default - writes the file `cloud.log` in the data folder */
  readonly log?: (line: string) => void;
}

export interface LocalCloud {
  /** Environment variables that make any AWS SDK or command line use this cloud. */
  readonly environment: Readonly<Record<string, string>>;
  /** The stack's outputs: bucket, table, state machine and so on. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Lines that a person should see, such as what the data folder had lost. */
  readonly notices: readonly string[];
  /** Faults that tests inject. */
  readonly faults: Faults;
  readonly dataDir: string;
  close(): Promise<void>;
}

/**
 * Starts everything and deploys the stacks.
 *
 * @throws RunActive if another local cloud uses the folder; LocalCloudFailed if a service does not start
 */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const { dataDir } = options;
  clearAwsSettings(process.env);
  const unlock = openDataFolder(dataDir);
  const closers: (() => Promise<void>)[] = [async () => unlock()];
  closers.push(async () => emptyTemporaryFolder(dataDir));
  const log = options.log ?? logFile(join(dataDir, 'cloud.log'));
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    return await start({ ...options, log }, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: LocalCloudOptions & { readonly log: (line: string) => void },
  closers: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<LocalCloud> {
  const { dataDir, log, signal } = options;
  const folder = (name: string): string => join(dataDir, name);
  // Chosen before the emulator starts, because its functions need the endpoints of the two services.
  const port = await choosePort(folder('emulator/port'));
  const access = {
    endpoint: `http://127.0.0.1:${port}`,
    region: REGION,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  // Only the services that this process starts may ask the emulator who may do what.
  const secret = randomBytes(32).toString('hex');
  const authorizer = new EmulatorAuthorizer(access.endpoint, secret);
  closers.push(async () => authorizer.close());
  const events = new EventBridgeClient(access);
  // Both services may have events of an earlier process (interrupted jobs and runs) before the event bus is ready.
  const bus = Promise.withResolvers<void>();
  const sagemaker = await startSageMakerService({
    dataDir: folder('sagemaker'),
    s3: access,
    authorizer,
    putEvent: async (event) => {
      await bus.promise;
      await putEvent(events, event);
    },
    commands: { train: [PYTHON, '-m', 'proxytune', 'train'], serve: [PYTHON, '-m', 'proxytune', 'serve'] },
    containerEnv: containerEnvironment(),
    stopGraceSeconds: STOP_GRACE_SECONDS,
    log,
  });
  closers.push(() => sagemaker.close());
  const s3 = makeS3(access);
  closers.push(async () => s3.destroy());
  /** Known once the stack is deployed. */
  let models: BucketContext | undefined;
  const invokers = new RoleClients(authorizer, 'StepFunctions', (credentials) => {
    // Longer than Lambda's maximum of fifteen minutes, so that the emulator's own timeout comes first.
    const requestHandler = { requestTimeout: 930_000 };
    return new LambdaClient({ ...access, credentials, maxAttempts: 1, requestHandler });
  });
  const states = await startStatesService({
    dataDir: folder('states'),
    maxConcurrentLambdas: lambdaPlaces(),
    authorizer,
    invokeLambda: withLinkedListings(
      invokeThrough(({ roleArn, stateMachineArn }) =>
        invokers.of({ service: STATES, role: roleArn, source: stateMachineArn }),
      ),
      () => models,
    ),
    onStatusChange: async (event) => {
      await bus.promise;
      await putEvent(events, {
        Source: event.source,
        DetailType: event['detail-type'],
        Detail: event.detail,
        Resources: event.resources,
      });
    },
    log,
  });
  closers.push(() => states.close());
  // Closed first: no service can end while its events wait for the bus.
  closers.push(async () => bus.resolve());
  const serviceEndpoints = {
    AWS_ENDPOINT_URL_SFN: states.endpoint,
    AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.endpoint,
    AWS_ENDPOINT_URL_SERVICE_QUOTAS: sagemaker.endpoint,
  };
  const emulator = await startEmulator({
    dataDir: folder('emulator'),
    port,
    python: PYTHON,
    env: serviceEndpoints,
    secret,
    ...(options.trace === undefined ? {} : { trace: rawTrace(options.trace) }),
    log,
  });
  // Started last and closed last, before the folder: ending jobs still save their checkpoints to its bucket.
  closers.splice(2, 0, () => emulator.close());
  signal?.throwIfAborted();
  const assemblyDir = await synthesize(options);
  const { outputs, changes, recreated } = await deployStacks({
    assemblyDir,
    stackName: STACK,
    endpoint: access.endpoint,
  });
  signal?.throwIfAborted();
  models = { s3, bucket: outputs.BucketName ?? '' };
  for (const [stack, change] of Object.entries(changes)) log(`stack ${stack}: ${change}`);
  await registerJobImage(access, outputs.ImageUri ?? '');
  const loss = describeLoss(recreated);
  if (loss !== undefined) log(loss);
  const { trace } = options;
  if (trace !== undefined) {
    const ids = await logicalIds(access, Object.keys(changes));
    // Closed after the emulator, which writes until it ends.
    closers.splice(2, 0, async () => finishTrace(trace, ids));
  }
  for (const run of await endAbandonedRuns(access, outputs.TableName ?? ''))
    log(`run ${run} was interrupted`);
  bus.resolve();
  const environment = {
    AWS_ENDPOINT_URL: access.endpoint,
    ...serviceEndpoints,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  const deleteAddress = writeAddress(dataDir, { environment, outputs });
  closers.push(async () => deleteAddress());
  return {
    environment,
    outputs,
    faults: sagemaker.faults,
    notices: loss === undefined ? [] : [loss],
    dataDir,
    close,
  };
}

/** Makes the image known that the stack's jobs are given, as the CDK's command line pushes it in an account. */
async function registerJobImage(access: ClientSettings, uri: string): Promise<void> {
  const client = new ECRClient(access);
  try {
    await registerImage(client, imageReference(uri));
  } finally {
    client.destroy();
  }
}

/** Environment variables of every container; the service adds the access to the bucket where there is a network. */
function containerEnvironment(): Record<string, string> {
  return {
    OMP_NUM_THREADS: String(availableParallelism()),
    HF_HUB_OFFLINE: '1',
    // On AWS a model server must be reachable from outside its container; here that would be from outside the machine.
    [names.environment.bindHost]: '127.0.0.1',
  };
}

/** @throws Error if the bus did not accept the event */
async function putEvent(
  events: EventBridgeClient,
  event: Pick<PutEventsRequestEntry, 'Source' | 'DetailType'> & {
    readonly Detail: object;
    readonly Resources: readonly string[];
  },
): Promise<void> {
  const entry = { ...event, Detail: JSON.stringify(event.Detail), Resources: [...event.Resources] };
  const { Entries = [] } = await events.send(new PutEventsCommand({ Entries: [entry] }));
  const rejected = Entries.find((result) => result.ErrorCode);
  if (rejected) throw new Error(`${rejected.ErrorCode}: ${rejected.ErrorMessage}`);
}

/** Synthesizes the app that deploys to an account for the local target. @returns the assembly's folder */
async function synthesize(options: LocalCloudOptions): Promise<string> {
  const assemblyDir = join(options.dataDir, 'assembly');
  const settings = {
    target: 'local',
    models: options.models ?? 'tiny',
    retrySeconds: options.retrySeconds ?? 5,
    ...(options.heartbeatSeconds === undefined ? {} : { heartbeatSeconds: options.heartbeatSeconds }),
  };
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
    CDK_OUTDIR: assemblyDir,
    TMPDIR: temporaryFolder(options.dataDir),
    CDK_CONTEXT_JSON: JSON.stringify({
      proxytune: settings,
      // Own names for the assets' bucket and the bootstrap version, so that `cdk bootstrap` can create its own.
      '@aws-cdk/core:bootstrapQualifier': 'local',
    }),
    // Skipped to save seconds; the tests validate the template.
    CDK_VALIDATION: 'false',
  };
  const { signal } = options;
  try {
    const processOptions = { cwd: ROOT, env, ...(signal && { signal }) };
    await promisify(execFile)(process.execPath, [join(ROOT, 'bin/app.ts')], processOptions);
    return assemblyDir;
  } catch (cause) {
    const { message, stderr } = cause as { message: string; stderr?: string };
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The stack could not be synthesized',
      given: (stderr || message).trim().split('\n').slice(-8).join('\n'),
      remedy: 'run `npx cdk synth` and check its output',
      cause,
    });
  }
}

function logFile(path: string): (line: string) => void {
  const file = openSync(path, 'a', 0o600);
  return (line) => {
    try {
      writeSync(file, `${new Date().toISOString()} ${line}\n`);
    } catch {
      // A failure to log, for example on a full disk, must not end the cloud.
    }
  };
}
