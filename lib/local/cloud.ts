/**
 * The one-machine cloud: the emulator, our Step Functions and SageMaker services beside it, and the synthesised
 * template deployed into them. What a run made lasts in the data folder; the services end with this process.
 */
import { execFile } from 'node:child_process';
import { openSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { ProxytuneError } from '../core/errors.ts';
import { leaveAddress } from './address.ts';
import { forgetAwsSettings } from './aws-settings.ts';
import { endCutOffRuns } from './abandoned-runs.ts';
import { openDataFolder } from './data-folder.ts';
import { deployTemplate } from './deploy/deploy.ts';
import { choosePort, startEmulator } from './emulator/start.ts';
import { type Faults, startSageMakerService } from './sagemaker/index.ts';
import { invokeThrough } from './states/lambda.ts';
import { startStatesService } from './states/service.ts';

const ROOT = join(import.meta.dirname, '../..');
export const PYTHON = join(ROOT, '.venv/bin/python');
const REGION = 'us-east-1';
const STACK = 'Proxytune';
/** On AWS a container gets 120 s to end; here it has no network to wait for. */
const STOP_GRACE_SECONDS = 20;

export interface LocalCloudOptions {
  /** Folder for everything that lasts. One local cloud at a time uses it. */
  readonly dataDir: string;
  /** `full`: the models that a request names, which were brought in, instead of tiny ones. @default - tiny */
  readonly models?: 'full' | 'tiny';
  /** Seconds without news after which a job is looked at. @default - 900, the stack's own default */
  readonly heartbeatSeconds?: number;
  /** Longest wait before a stage is tried again. @default - 5, as nothing here recovers by waiting */
  readonly retrySeconds?: number;
  /** Ends the start between two of its steps. @default - it goes on to its end */
  readonly signal?: AbortSignal;
  /** Gets a line for everything worth knowing. @default - the file `cloud.log` in the data folder */
  readonly log?: (line: string) => void;
}

export interface LocalCloud {
  /** What to put into the environment so that any AWS SDK or command line talks to this cloud. */
  readonly environment: Readonly<Record<string, string>>;
  /** The stack's outputs: bucket, table, state machine and so on. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Troubles that a test may ask for. */
  readonly faults: Faults;
  readonly dataDir: string;
  close(): Promise<void>;
}

/**
 * Starts everything and deploys the stack.
 *
 * @throws RunActive when another local cloud uses the folder; LocalCloudFailed when a service does not start
 */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const { dataDir } = options;
  forgetAwsSettings(process.env);
  const unlock = openDataFolder(dataDir);
  const closers: (() => Promise<void>)[] = [async () => unlock()];
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
  // Chosen before the emulator starts, because its functions are told where the two services beside it are.
  const port = await choosePort(folder('emulator/port'));
  const access = {
    endpoint: `http://127.0.0.1:${port}`,
    region: REGION,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  const events = new EventBridgeClient(access);
  // Both services may have news of an earlier life (jobs and runs that were cut off) before there is a bus to put it on.
  const bus = Promise.withResolvers<void>();
  const sagemaker = await startSageMakerService({
    dataDir: folder('sagemaker'),
    s3: access,
    putEvent: async (event) => {
      await bus.promise;
      await putEvent(events, event);
    },
    commands: { train: [PYTHON, '-m', 'proxytune', 'train'], serve: [PYTHON, '-m', 'proxytune', 'serve'] },
    containerEnv: containerEnvironment(access.endpoint),
    stopGraceSeconds: STOP_GRACE_SECONDS,
    log,
  });
  closers.push(() => sagemaker.close());
  const states = await startStatesService({
    dataDir: folder('states'),
    invokeLambda: invokeThrough(
      // Beyond Lambda's longest, fifteen minutes, so that the emulator's own timeout is what is heard.
      new LambdaClient({ ...access, maxAttempts: 1, requestHandler: { requestTimeout: 930_000 } }),
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
  // Closed first of all: no service can end while its news waits for a bus that will never come.
  closers.push(async () => bus.resolve());
  const beside = { AWS_ENDPOINT_URL_SFN: states.endpoint, AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.endpoint };
  const emulator = await startEmulator({
    dataDir: folder('emulator'),
    port,
    python: PYTHON,
    env: beside,
    log,
  });
  // It came last but goes last too, before the lock: ending jobs still save their checkpoints into its bucket.
  closers.splice(1, 0, () => emulator.close());
  signal?.throwIfAborted();
  const assemblyDir = await synthesise(options);
  const { outputs, change } = await deployTemplate({
    assemblyDir,
    stackName: STACK,
    endpoint: access.endpoint,
  });
  signal?.throwIfAborted();
  log(`stack ${STACK}: ${change}`);
  for (const run of await endCutOffRuns(access, outputs.TableName ?? '')) log(`run ${run} was cut off`);
  bus.resolve();
  const environment = {
    AWS_ENDPOINT_URL: access.endpoint,
    ...beside,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  const forget = leaveAddress(dataDir, { environment, outputs });
  closers.push(async () => forget());
  return {
    environment,
    outputs,
    faults: sagemaker.faults,
    dataDir,
    close,
  };
}

/** What every container sees besides its job: where the bucket is, and no more threads than the machine has. */
function containerEnvironment(endpoint: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    OMP_NUM_THREADS: String(availableParallelism()),
    HF_HUB_OFFLINE: '1',
    // On AWS a model server must be reached from outside its container; here that would be from outside the machine.
    PROXYTUNE_BIND_HOST: '127.0.0.1',
  };
}

/** @throws Error when the bus did not take the event */
async function putEvent(
  events: EventBridgeClient,
  event: Pick<PutEventsRequestEntry, 'Source' | 'DetailType'> & {
    readonly Detail: object;
    readonly Resources: readonly string[];
  },
): Promise<void> {
  const entry = { ...event, Detail: JSON.stringify(event.Detail), Resources: [...event.Resources] };
  const { Entries = [] } = await events.send(new PutEventsCommand({ Entries: [entry] }));
  const refusal = Entries.find((result) => result.ErrorCode);
  if (refusal) throw new Error(`${refusal.ErrorCode}: ${refusal.ErrorMessage}`);
}

/** The same app that deploys to an account, told that it is for this machine. @returns the assembly's folder */
async function synthesise(options: LocalCloudOptions): Promise<string> {
  const assemblyDir = join(options.dataDir, 'assembly');
  const context = {
    target: 'local',
    models: options.models ?? 'tiny',
    retrySeconds: options.retrySeconds ?? 5,
    ...(options.heartbeatSeconds === undefined ? {} : { heartbeatSeconds: options.heartbeatSeconds }),
  };
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
    CDK_OUTDIR: assemblyDir,
    CDK_CONTEXT_JSON: JSON.stringify(context),
    // The tests validate the template; here the seconds count.
    CDK_VALIDATION: 'false',
  };
  const { signal } = options;
  try {
    const how = { cwd: ROOT, env, ...(signal && { signal }) };
    await promisify(execFile)(process.execPath, [join(ROOT, 'bin/app.ts')], how);
    return assemblyDir;
  } catch (cause) {
    const { message, stderr } = cause as { message: string; stderr?: string };
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The stack could not be synthesised',
      given: (stderr || message).trim().split('\n').slice(-8).join('\n'),
      remedy: 'run `npx cdk synth` and read what it says',
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
      // A log that cannot be written, on a full disk, must not end what it only tells of.
    }
  };
}
