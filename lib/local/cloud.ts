/**
 * The local cloud: the emulator, our Step Functions and SageMaker services, and the synthesized template deployed
 * into them. Results of runs persist in the data folder; the services end with this process.
 */
import { randomBytes } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ECRClient } from '@aws-sdk/client-ecr';
import { type ClientSettings, makeS3 } from '../aws/clients.ts';
import type { BucketContext } from '../aws/s3.ts';
import { imageReference } from '../core/plan/image.ts';
import { endAbandonedRuns } from './abandoned-runs.ts';
import { writeAddress } from './address.ts';
import { clearAwsSettings } from './aws-settings.ts';
import { emptyTemporaryFolder, openDataFolder } from './data-folder.ts';
import { deployStacks } from './deploy/deploy.ts';
import { registerImage } from './deploy/image.ts';
import { logicalIds } from './deploy/logical-ids.ts';
import { type LocalSettings, synthesize } from './deploy/synthesize.ts';
import { choosePort, type Emulator, startEmulator, withFreePort } from './emulator/start.ts';
import { EventBus } from './event-bus.ts';
import { EmulatorAuthorizer } from './iam/authorizer.ts';
import { finishTrace, rawTrace } from './iam/trace-file.ts';
import { describeLoss } from './lost-state.ts';
import { PYTHON } from './paths.ts';
import type { Faults } from './sagemaker/index.ts';
import { type Closers, startServices } from './services.ts';

const REGION = 'us-east-1';
const STACK = 'Proxytune';

export interface LocalCloudOptions extends LocalSettings {
  /** The folder for persistent data, used by one local cloud at a time. */
  readonly dataDir: string;
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
  clearAwsSettings(process.env);
  return withFreePort(() => startOnce(options));
}

async function startOnce(options: LocalCloudOptions): Promise<LocalCloud> {
  const { dataDir } = options;
  const unlock = openDataFolder(dataDir);
  const closers: Closers = [async () => unlock(), async () => emptyTemporaryFolder(dataDir)];
  const log = options.log ?? logFile(join(dataDir, 'cloud.log'));
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    return { ...(await start({ ...options, log }, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: LocalCloudOptions & { readonly log: (line: string) => void },
  closers: Closers,
): Promise<Omit<LocalCloud, 'close'>> {
  const { dataDir, log, signal, trace } = options;
  const emulatorDir = join(dataDir, 'emulator');
  // Chosen before the emulator starts, because its functions need the endpoints of the two services.
  const port = await choosePort(join(emulatorDir, 'port'));
  const access = {
    endpoint: `http://127.0.0.1:${port}`,
    region: REGION,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  // Started after the services and closed after them: ending jobs still save their checkpoints to its bucket.
  let emulator: Emulator | undefined;
  /** Logical ids for the trace, which the emulator writes until it ends. */
  let ids: Record<string, string> | undefined;
  closers.push(async () => {
    if (trace !== undefined && ids !== undefined) finishTrace(trace, ids);
  });
  closers.push(async () => emulator?.close());
  // Only the services that this process starts may ask the emulator who may do what.
  const secret = randomBytes(32).toString('hex');
  const authorizer = new EmulatorAuthorizer(access.endpoint, secret);
  const bus = new EventBus(access);
  const s3 = makeS3(access);
  closers.push(async () => {
    authorizer.close();
    bus.close();
    s3.destroy();
  });
  /** Known once the stack is deployed. */
  let models: BucketContext | undefined;
  const services = await startServices(
    { dataDir, access, authorizer, bus, models: () => models, log },
    closers,
  );
  // Closed first: no service can end while its events wait for the bus.
  closers.push(async () => bus.open());
  emulator = await startEmulator({
    dataDir: emulatorDir,
    port,
    python: PYTHON,
    env: services.endpoints,
    secret,
    ...(trace === undefined ? {} : { trace: rawTrace(trace) }),
    log,
  });
  signal?.throwIfAborted();
  const assemblyDir = await synthesize(dataDir, options, signal);
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
  if (trace !== undefined) ids = await logicalIds(access, Object.keys(changes));
  for (const run of await endAbandonedRuns(access, outputs.TableName ?? ''))
    log(`run ${run} was interrupted`);
  bus.open();
  const environment = {
    AWS_ENDPOINT_URL: access.endpoint,
    ...services.endpoints,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  const deleteAddress = writeAddress(dataDir, { environment, outputs });
  closers.push(async () => deleteAddress());
  const notices = loss === undefined ? [] : [loss];
  return { environment, outputs, faults: services.faults, notices, dataDir };
}

/** Registers the image of the stack's jobs, which the CDK's command line pushes for an account. */
async function registerJobImage(access: ClientSettings, uri: string): Promise<void> {
  const client = new ECRClient(access);
  try {
    await registerImage(client, imageReference(uri));
  } finally {
    client.destroy();
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
