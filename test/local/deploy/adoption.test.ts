/**
 * The app's own stacks in the local cloud: what a deployment leaves behind when it is destroyed is adopted by the next
 * one, and data that lacks something is refused by the deployment.
 */
import { CreateBucketCommand, GetBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { requireStoredModel, writeManifest } from '../../../lib/aws/models.ts';
import { model } from '../../../lib/core/catalogue/models.ts';
import { keys } from '../../../lib/core/keys.ts';
import { type ModelManifest, makeManifest } from '../../../lib/core/models/manifest.ts';
import { clientConfig, eventually } from '../emulator/helpers.ts';
import { type AppCloud, openAppCloud } from './app-cloud.ts';

const MODEL = 'dino-vits16';
let cloud: AppCloud;
let first: Record<string, string>;

beforeAll(async () => {
  cloud = await openAppCloud();
  first = await cloud.deploy({});
}, 120_000);

afterAll(() => cloud?.close());

/** A model with one file of four bytes, as the import stores it. */
async function importModel(bucket: string): Promise<ModelManifest> {
  const weights = await cloud.s3.send(
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
  await writeManifest({ s3: cloud.s3, bucket }, manifest);
  return manifest;
}

it('finds the models of a destroyed deployment, and starts runs in its bucket', async () => {
  const bucket = first.BucketName ?? '';
  const manifest = await importModel(bucket);
  await cloud.destroy('Proxytune', 'Proxytune-Data');

  const adopted = await cloud.deploy({ bucketName: bucket });
  expect(adopted.BucketName).toBe(bucket);
  expect(await requireStoredModel({ s3: cloud.s3, bucket }, MODEL)).toEqual(manifest);

  const { Policy = '' } = await cloud.s3.send(new GetBucketPolicyCommand({ Bucket: bucket }));
  expect(JSON.parse(Policy).Statement.map(({ Effect }: { Effect: string }) => Effect)).toEqual([
    'Deny',
    'Deny',
  ]);

  await cloud.s3.send(new PutObjectCommand({ Bucket: bucket, Key: keys.request('rex'), Body: '{}' }));
  const sfn = new SFNClient(clientConfig(cloud.states));
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
  await cloud.destroy('Proxytune', 'Proxytune-Data');
  expect((await requireStoredModel({ s3: cloud.s3, bucket }, MODEL)).model).toBe(MODEL);
}, 120_000);

it('refuses a bucket that lacks something, before anything else is deployed', async () => {
  await cloud.s3.send(new CreateBucketCommand({ Bucket: 'bare' }));
  const failing = cloud.deploy({ name: 'Bare', bucketName: 'bare' });
  await expect(failing).rejects.toThrow(
    /Custom::ProxytuneDataCheck.*versioning is off.*no events to EventBridge.*put-bucket-notification/s,
  );
  const sfn = new SFNClient(clientConfig(cloud.states));
  const { executions } = await sfn
    .send(
      new ListExecutionsCommand({
        stateMachineArn: 'arn:aws:states:us-east-1:000000000000:stateMachine:Bare',
      }),
    )
    .catch(() => ({ executions: [] }));
  expect(executions).toEqual([]);
}, 120_000);
