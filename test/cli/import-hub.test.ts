/**
 * `proxytune import-model` from the hub: in an account by a job, which is the real container as a process, and on one
 * machine into the data folder. The hub is its protocol on this machine; the bucket, the secret and the stack are the
 * emulator's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  CreateTrainingJobCommand,
  DescribeTrainingJobCommand,
  ListTrainingJobsCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker';
import { type AwsContext, localContext } from '../../lib/aws/context.ts';
import { requireStoredModel } from '../../lib/aws/models.ts';
import { importModelCommand } from '../../lib/cli/commands/import-model.ts';
import { importFromHub } from '../../lib/cli/import/from-hub.ts';
import { importByJob } from '../../lib/cli/import/in-account.ts';
import type { Output } from '../../lib/cli/output.ts';
import { model } from '../../lib/core/catalogue/models.ts';
import { importJobName, importJobRequest, orderFor } from '../../lib/core/jobs/import-job.ts';
import { keys } from '../../lib/core/keys.ts';
import { modelManifest } from '../../lib/core/models/manifest.ts';
import { jobPrefix, tokenSecret } from '../../lib/core/names.ts';
import { type Emulator, startEmulator } from '../../lib/local/emulator/start.ts';
import { storeLinkedListings } from '../../lib/local/linked-models.ts';
import { PYTHON } from '../../lib/local/paths.ts';
import { jobLogFile, type SageMakerService, startSageMakerService } from '../../lib/local/sagemaker/index.ts';
import { hubFiles, write } from '../aws/model-folders.ts';
import { awsJson, clientConfig, emulatorOptions } from '../local/emulator/helpers.ts';
import { createStack } from './stacks.ts';

const MINUTE = 60_000;
const BUCKET = 'import-test';
const TOKEN = 'hf_0123456789secret';
const PREFIX = jobPrefix('Imports');
const SECRET = tokenSecret('Imports');
const IMAGE_URI = '000000000000.dkr.ecr.us-east-1.amazonaws.com/proxytune:local';
const FAKE_HUB = join(import.meta.dirname, '../../containers/tests/importing/fake_hub.py');
const [SDXL, FLUX] = [model('sdxl'), model('flux-dev')];
const before = { ...process.env };
let folder: string;
let emulator: Emulator;
let service: SageMakerService;
let hub: ChildProcess;
let s3: S3Client;
let sagemaker: SageMakerClient;
let aws: AwsContext;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'proxytune-hub-')));
  await startHub();
  emulator = await startEmulator(emulatorOptions(join(folder, 'emulator')));
  const access = clientConfig(emulator.endpoint);
  service = await startSageMakerService({
    dataDir: join(folder, 'sagemaker'),
    s3: access,
    commands: { train: [PYTHON, '-m', 'proxytune', 'train'], serve: [PYTHON, '-m', 'proxytune', 'serve'] },
    containerEnv: { OMP_NUM_THREADS: '1', HF_HUB_OFFLINE: '1' },
    stopGraceSeconds: 2,
  });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_ENDPOINT_URL_SAGEMAKER: service.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    BUCKET,
  });
  s3 = new S3Client({ ...access, forcePathStyle: true });
  sagemaker = new SageMakerClient({ ...access, endpoint: service.endpoint });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await deploy(access);
}, 2 * MINUTE);

afterAll(async () => {
  for (const client of [s3, sagemaker]) client?.destroy();
  aws?.close();
  await service?.close();
  await emulator?.close();
  hub?.kill();
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}, MINUTE);

/** Two repositories at the catalogue's commits; the second one's terms have to be accepted. */
async function startHub(): Promise<void> {
  for (const row of [SDXL, FLUX]) {
    const gate = row.hub?.gated ? { gated: TOKEN } : {};
    const files = { ...hubFiles(row), ...gate, commit: row.hub?.revision ?? '' };
    write(join(folder, 'hub', row.hub?.repository ?? ''), files);
  }
  hub = spawn(PYTHON, [FAKE_HUB, join(folder, 'hub')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [address] = (await once(hub.stdout ?? hub, 'data')) as [Buffer];
  process.env.HF_ENDPOINT = address.toString().trim();
  process.env.HF_HOME = join(folder, 'no-token-of-the-user');
  delete process.env.HF_TOKEN;
}

/** A stack with the outputs of ours, as the command line finds them in an account. */
async function deploy(access: ReturnType<typeof clientConfig>): Promise<void> {
  const outputs = {
    BucketName: BUCKET,
    TableName: 'none',
    StateMachineArn: 'none',
    JobPrefix: PREFIX,
    TokenSecretName: SECRET,
    ImportRoleArn: 'arn:aws:iam::000000000000:role/imports',
    ImageUri: IMAGE_URI,
  };
  aws = localContext({ environment: process.env as Record<string, string>, outputs });
  await createStack(access, 'Hub', outputs);
}

async function command(id: string, options: object = {}): Promise<{ said: string[]; printed: unknown[] }> {
  const said: string[] = [];
  const printed: unknown[] = [];
  await importModelCommand(id, { stack: 'Hub', ...options }, listener(said, printed));
  return { said, printed };
}

function listener(said: string[], printed: unknown[] = []): Output {
  const say = (line: string) => said.push(line);
  return {
    json: false,
    terminal: false,
    debug: false,
    say,
    data: (value) => printed.push(value),
    write: () => {},
  };
}

async function jobs(): Promise<string[]> {
  const { TrainingJobSummaries = [] } = await sagemaker.send(new ListTrainingJobsCommand({}));
  return TrainingJobSummaries.map(({ TrainingJobName = '' }) => TrainingJobName).reverse();
}

/** Everything that a job leaves for others to see: its description, its log, and all small objects. */
async function leftBy(job: string): Promise<string> {
  const description = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: job }));
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  const objects = await Promise.all(
    Contents.map(async ({ Key }) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []).toString('latin1');
    }),
  );
  const log = readFileSync(jobLogFile(join(folder, 'sagemaker'), job), 'utf8');
  return [JSON.stringify(description), log, ...objects].join('\n');
}

test(
  'in an account a job brings the catalogue’s commit, and a second call starts none',
  async () => {
    const { said, printed } = await command('sdxl');
    const manifest = modelManifest.parse(printed[0]);
    expect(manifest).toMatchObject({
      model: 'sdxl',
      revision: SDXL.hub?.revision,
      source: `https://huggingface.co/${SDXL.hub?.repository}`,
      linked: null,
    });
    expect(manifest.files.map(({ path }) => path)).not.toContain('unet/model.onnx');
    await requireStoredModel(aws, 'sdxl');
    expect(said.join('\n')).toMatch(/ml\.m5\.xlarge, about .* and \$0\.\d\d at list prices/);
    expect(said.join('\n')).toContain('commercial use is allowed');
    const [job = ''] = await jobs();
    expect(job.startsWith(`${PREFIX}import-sdxl-`)).toBe(true);
    const description = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: job }));
    expect(description).toMatchObject({
      RoleArn: 'arn:aws:iam::000000000000:role/imports',
      EnableNetworkIsolation: false,
      HyperParameters: { stage: 'import-model', model: 'sdxl' },
    });
    const again = await command('sdxl');
    expect(again.said.join('\n')).toContain('it is stored already');
    expect(again.printed).toEqual(printed);
    expect(await jobs()).toEqual([job]);
  },
  MINUTE,
);

test(
  'who stops watching a job that somebody else has begun does not stop it',
  async () => {
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: keys.modelManifest('sdxl') }));
    await new Promise((done) => setTimeout(done, 1100));
    const stop = new AbortController();
    let watched: Promise<unknown> | undefined;
    const second = listener([]);
    const watching = {
      ...second,
      say: (line: string) => {
        if (line.includes('is importing it already')) stop.abort(new Error('no more'));
      },
    };
    const first = listener([]);
    const began = {
      ...first,
      say: (line: string) => {
        if (!line.endsWith('is started')) return;
        const options = { revision: null, output: watching, signal: stop.signal };
        watched = importByJob(aws, SDXL, options).catch((error: Error) => error.message);
      },
    };
    const options = { revision: null, output: began, signal: new AbortController().signal };
    expect(await importByJob(aws, SDXL, options)).toMatchObject({ model: 'sdxl' });
    expect(await watched).toBe('no more');
    expect((await jobs()).length).toBe(2);
  },
  MINUTE,
);

test(
  'an import of another stack, which goes into another bucket, is neither adopted nor waited for',
  async () => {
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: keys.modelManifest('sdxl') }));
    const theirs = importJobName('sdxl', new Date(), jobPrefix('Another'));
    const order = orderFor(SDXL, null, { bucket: BUCKET });
    const request = { Bucket: BUCKET, Key: keys.importRequestFile(theirs), Body: JSON.stringify(order) };
    await s3.send(new PutObjectCommand(request));
    // A hub that answers nobody, so that the job is still busy with it when ours is started.
    const job = importJobRequest(theirs, order, {
      roleArn: 'arn:aws:iam::000000000000:role/others',
      imageUri: IMAGE_URI,
      endpoint: 'http://127.0.0.1:9',
    });
    await sagemaker.send(new CreateTrainingJobCommand(job));
    const { said } = await command('sdxl');
    expect(said.join('\n')).not.toContain('is importing it already');
    expect((await jobs()).slice(-2)).toEqual([
      theirs,
      expect.stringMatching(new RegExp(`^${PREFIX}import-sdxl-`)),
    ]);
    await requireStoredModel(aws, 'sdxl');
  },
  MINUTE,
);

test(
  'a gated model without a token is refused in words; with one in the secret it comes, and the token is nowhere',
  async () => {
    await expect(command('flux-dev')).rejects.toMatchObject({ name: 'LicenceNotAccepted' });
    const accepted = { acceptLicence: true };
    const words = [
      'no token was given',
      `accept the terms at https://huggingface.co/${FLUX.hub?.repository}`,
      `aws secretsmanager create-secret --name ${SECRET}`,
    ];
    const refusal = await command('flux-dev', accepted).catch((error: Error) => error);
    expect(refusal).toMatchObject({ name: 'ModelGated' });
    for (const word of words) expect((refusal as Error).message).toContain(word);
    await expect(requireStoredModel(aws, 'flux-dev')).rejects.toMatchObject({ name: 'ModelMissing' });

    await awsJson(emulator.endpoint, 'secretsmanager.CreateSecret', {
      Name: SECRET,
      SecretString: TOKEN,
    });
    // Names of jobs count in seconds.
    await new Promise((done) => setTimeout(done, 1100));
    const { printed } = await command('flux-dev', accepted);
    expect(modelManifest.parse(printed[0])).toMatchObject({ gated: true, revision: FLUX.hub?.revision });
    await requireStoredModel(aws, 'flux-dev');
    const left = await leftBy((await jobs()).at(-1) ?? '');
    expect(left).toContain('import-model');
    expect(left).not.toContain(TOKEN);
  },
  2 * MINUTE,
);

test(
  'on one machine it comes into the data folder and is linked from there, with the user’s own token',
  async () => {
    const dataDir = join(folder, 'data');
    const said: string[] = [];
    const options = {
      revision: null,
      dataDir,
      output: listener(said),
      signal: new AbortController().signal,
    };
    await expect(importFromHub(aws, FLUX, options)).rejects.toMatchObject({ name: 'ModelGated' });
    process.env.HF_TOKEN = TOKEN;
    const manifest = await importFromHub(aws, FLUX, options);
    delete process.env.HF_TOKEN;
    expect(manifest).toMatchObject({
      linked: join(dataDir, 'models/flux-dev'),
      revision: FLUX.hub?.revision,
    });
    expect(said.join('\n')).not.toContain(TOKEN);
    await storeLinkedListings(aws);
    await requireStoredModel(aws, 'flux-dev');
    const file = join(dataDir, 'models/flux-dev/vae/diffusion_pytorch_model.safetensors');
    const before = statSync(file).mtimeMs;
    writeFileSync(file, 'cut');
    await storeLinkedListings(aws);
    await expect(requireStoredModel(aws, 'flux-dev')).rejects.toMatchObject({ name: 'ModelChanged' });
    process.env.HF_TOKEN = TOKEN;
    const fixed = await importFromHub(aws, FLUX, options);
    delete process.env.HF_TOKEN;
    expect(fixed.files.map(({ sha256 }) => sha256)).toEqual(manifest.files.map(({ sha256 }) => sha256));
    expect(statSync(file).mtimeMs).toBeGreaterThan(before);
    await storeLinkedListings(aws);
    await requireStoredModel(aws, 'flux-dev');
  },
  MINUTE,
);

test('a model that is on no hub as the jobs read it wants a folder', async () => {
  await expect(command('llamagen-xl', { acceptLicence: true })).rejects.toMatchObject({
    name: 'UsageInvalid',
    message: expect.stringContaining('--from FOLDER'),
  });
});
