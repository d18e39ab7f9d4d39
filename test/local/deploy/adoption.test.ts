/**
 * The app's own stacks in the local cloud: what a deployment leaves behind when it is destroyed is adopted by the next
 * one, and data that lacks something is refused by the deployment.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  CloudFormationClient,
  DeleteStackCommand,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, GetBucketPolicyCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { requireStoredModel, writeManifest } from '../../../lib/aws/models.ts';
import { model } from '../../../lib/core/catalogue/models.ts';
import { keys } from '../../../lib/core/keys.ts';
import { type ModelManifest, makeManifest } from '../../../lib/core/models/manifest.ts';
import { deployStacks } from '../../../lib/local/deploy/deploy.ts';
import { type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import { invokeThrough } from '../../../lib/local/states/lambda.ts';
import { type StatesServiceHandle, startStatesService } from '../../../lib/local/states/service.ts';
import { clientConfig, emulatorOptions, eventually, NODE, temporaryFolder } from '../emulator/helpers.ts';

const MODEL = 'dino-vits16';
const folder = temporaryFolder();
let states: StatesServiceHandle;
let emulator: Emulator;
let s3: S3Client;
let first: Record<string, string>;

/** Synthesizes the app as the local cloud does, and deploys it. */
async function deploy(settings: Record<string, string>): Promise<Record<string, string>> {
  const assemblyDir = join(folder, 'assembly');
  rmSync(assemblyDir, { recursive: true, force: true });
  const env = {
    PATH: process.env.PATH,
    CDK_OUTDIR: assemblyDir,
    CDK_CONTEXT_JSON: JSON.stringify({ proxytune: { target: 'local', ...settings } }),
    CDK_VALIDATION: 'false',
  };
  execFileSync(NODE, ['bin/app.ts'], { env });
  const stackName = settings.name ?? 'Proxytune';
  return (await deployStacks({ assemblyDir, stackName, endpoint: emulator.endpoint })).outputs;
}

async function destroy(...stacks: string[]): Promise<void> {
  const client = new CloudFormationClient(clientConfig(emulator.endpoint));
  for (const StackName of stacks) {
    await client.send(new DeleteStackCommand({ StackName }));
    const wait = { client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
    await waitUntilStackDeleteComplete(wait, { StackName });
  }
  client.destroy();
}

beforeAll(async () => {
  const lambda = () => invokeThrough(new LambdaClient(clientConfig(emulator.endpoint)));
  states = await startStatesService({
    dataDir: join(folder, 'states'),
    invokeLambda: (call) => lambda()(call),
  });
  const env = { AWS_ENDPOINT_URL_SFN: states.endpoint, AWS_ENDPOINT_URL_SAGEMAKER: 'http://127.0.0.1:9' };
  emulator = await startEmulator(emulatorOptions(join(folder, 'cloud'), env));
  s3 = new S3Client({ ...clientConfig(emulator.endpoint), forcePathStyle: true });
  first = await deploy({});
}, 120_000);

afterAll(async () => {
  await emulator?.close();
  await states?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A model with one file of four bytes, as the import stores it. */
async function importModel(bucket: string): Promise<ModelManifest> {
  const weights = await s3.send(
    new PutObjectCommand({ Bucket: bucket, Key: `${keys.model(MODEL)}model.safetensors`, Body: 'abcd' }),
  );
  const file = {
    path: 'model.safetensors',
    size: 4,
    sha256: '88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589',
    etag: weights.ETag?.replaceAll('"', '') ?? '',
    modified: null,
  };
  const manifest = makeManifest(model(MODEL), { source: 'hub', importedAt: new Date(0) }, [file]);
  await writeManifest({ s3, bucket }, manifest);
  return manifest;
}

it('finds the models of a destroyed deployment, and starts runs in its bucket', async () => {
  const bucket = first.BucketName ?? '';
  const manifest = await importModel(bucket);
  await destroy('Proxytune', 'Proxytune-Data');

  const adopted = await deploy({ bucketName: bucket });
  expect(adopted.BucketName).toBe(bucket);
  expect(await requireStoredModel({ s3, bucket }, MODEL)).toEqual(manifest);

  const { Policy = '' } = await s3.send(new GetBucketPolicyCommand({ Bucket: bucket }));
  expect(JSON.parse(Policy).Statement.map(({ Effect }: { Effect: string }) => Effect)).toEqual([
    'Deny',
    'Deny',
  ]);

  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: keys.request('rex'), Body: '{}' }));
  const sfn = new SFNClient(clientConfig(states.endpoint));
  const run = await eventually(async () => {
    const { executions = [] } = await sfn.send(
      new ListExecutionsCommand({ stateMachineArn: adopted.StateMachineArn }),
    );
    return executions[0];
  });
  const { input = '' } = await sfn.send(new DescribeExecutionCommand({ executionArn: run.executionArn }));
  expect(JSON.parse(input)).toMatchObject({ bucket, subject: 'rex' });
}, 120_000);

it('leaves an adopted bucket behind too', async () => {
  const bucket = first.BucketName ?? '';
  await destroy('Proxytune', 'Proxytune-Data');
  expect((await requireStoredModel({ s3, bucket }, MODEL)).model).toBe(MODEL);
}, 120_000);

it('refuses a bucket that lacks something, before anything else is deployed', async () => {
  await s3.send(new CreateBucketCommand({ Bucket: 'bare' }));
  const failing = deploy({ name: 'Bare', bucketName: 'bare' });
  await expect(failing).rejects.toThrow(
    /Custom::ProxytuneDataCheck.*versioning is off.*no events to EventBridge.*put-bucket-notification/s,
  );
  const sfn = new SFNClient(clientConfig(states.endpoint));
  const { executions } = await sfn
    .send(
      new ListExecutionsCommand({
        stateMachineArn: 'arn:aws:states:us-east-1:000000000000:stateMachine:Bare',
      }),
    )
    .catch(() => ({ executions: [] }));
  expect(executions).toEqual([]);
}, 120_000);
