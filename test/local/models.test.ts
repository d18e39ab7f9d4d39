/** The models of a local run in the bucket of a real emulator: only the necessary ones, complete, and as on disk. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { describeFolder } from '../../lib/aws/model-folder/files.ts';
import { requireStoredModel, writeManifest } from '../../lib/aws/models.ts';
import { model } from '../../lib/core/catalogue/models.ts';
import { makeManifest } from '../../lib/core/models/manifest.ts';
import { type Emulator, startEmulator } from '../../lib/local/emulator/start.ts';
import { withLinkedListings } from '../../lib/local/linked-models.ts';
import { ensureModels, localModels } from '../../lib/local/models.ts';
import { clientConfig, emulatorOptions, temporaryFolder } from './emulator/helpers.ts';

/** A long timeout, because generating a model loads PyTorch on a machine that may be busy. */
const MINUTE = 60_000;
const BUCKET = 'models-test';
const folder = temporaryFolder();
const root = join(folder, 'repository');
const shipped = join(root, model('dino-miniature').shipped ?? '');
let emulator: Emulator;
let s3: S3Client;

beforeAll(async () => {
  emulator = await startEmulator(emulatorOptions(folder));
  s3 = new S3Client({ ...clientConfig(emulator.endpoint), forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await s3.send(
    new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration: { Status: 'Enabled' } }),
  );
}, MINUTE);

afterAll(async () => {
  s3.destroy();
  await emulator.close();
  rmSync(folder, { recursive: true, force: true });
}, MINUTE);

const ensure = (ids: readonly string[]) => {
  const environment = { AWS_ENDPOINT_URL: emulator.endpoint, AWS_REGION: 'us-east-1' };
  return ensureModels({ environment, outputs: { BucketName: BUCKET }, dataDir: folder }, { ids, root });
};
async function objects(prefix: string): Promise<string[]> {
  const page = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
  return (page.Contents ?? []).map(({ Key = '' }) => Key.slice(prefix.length)).sort();
}
/** The version of each key; every write creates a new one. */
async function versionsOf(prefix: string): Promise<Record<string, string | undefined>> {
  const entries = (await objects(prefix)).map(async (name) => {
    const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: prefix + name }));
    return [name, head.VersionId] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
async function text(key: string): Promise<string | undefined> {
  const object = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
  return object.Body?.transformToString();
}

test(
  'a trained model whose weights are missing is reported before anything is uploaded',
  async () => {
    await expect(ensure(['dino-tiny', 'dino-miniature'])).rejects.toMatchObject({
      name: 'ModelMissing',
      message: expect.stringMatching(
        /Given: no folder .*dino-miniature\..*git checkout -- containers\/models/,
      ),
    });
    expect(await objects('models/')).toEqual([]);
    expect(localModels(root)).toContain('dino-tiny');
    expect(localModels(root)).not.toContain('dino-miniature');
  },
  MINUTE,
);

test(
  'a trained model is uploaded from the repository, and again after its weights change',
  async () => {
    mkdirSync(join(shipped, 'unet'), { recursive: true });
    for (const file of ['config.json', 'unet/weights.bin', 'old.bin'])
      writeFileSync(join(shipped, file), 'first');
    expect(localModels(root)).toContain('dino-miniature');
    await ensure(['dino-miniature']);
    const prefix = 'models/dino-miniature/';
    expect(await objects(prefix)).toEqual(['config.json', 'manifest.json', 'old.bin', 'unet/weights.bin']);

    // Only changed objects are uploaded again.
    const before = await versionsOf(prefix);
    await ensure(['dino-miniature']);
    expect(await versionsOf(prefix)).toEqual(before);
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${prefix}config.json`, Body: 'touched' }));
    await ensure(['dino-miniature']);
    expect(await text(`${prefix}config.json`)).toBe('first');
    const after = await versionsOf(prefix);
    expect(Object.keys(after).filter((key) => after[key] !== before[key])).toEqual([
      'config.json',
      'manifest.json',
    ]);

    writeFileSync(join(shipped, 'unet/weights.bin'), 'other');
    rmSync(join(shipped, 'old.bin'));
    await ensure(['dino-miniature']);
    expect(await objects(prefix)).toEqual(['config.json', 'manifest.json', 'unet/weights.bin']);
    expect(await text(`${prefix}unet/weights.bin`)).toBe('other');
    expect(await text(`${prefix}config.json`)).toBe('first');
  },
  MINUTE,
);

test(
  'an interrupted upload is repeated',
  async () => {
    const prefix = 'models/dino-miniature/';
    for (const file of ['manifest.json', 'config.json'])
      await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: prefix + file }));
    await ensure(['dino-miniature']);
    expect(await objects(prefix)).toEqual(['config.json', 'manifest.json', 'unet/weights.bin']);
  },
  MINUTE,
);

test(
  'only the requested tiny models are generated',
  async () => {
    await ensure(['dino-tiny']);
    expect(await objects('models/dino-tiny/')).toEqual(
      expect.arrayContaining(['manifest.json', 'model.safetensors']),
    );
    expect(existsSync(join(folder, 'models/sdxl-tiny'))).toBe(false);
    expect(await objects('models/sdxl-tiny/')).toEqual([]);
  },
  5 * MINUTE,
);

test('a linked model is checked on the disk whenever a run is planned, and at no other invocation', async () => {
  const context = { s3, bucket: BUCKET };
  const linked = join(folder, 'linked');
  mkdirSync(linked);
  writeFileSync(join(linked, 'config.json'), '{}');
  const origin = { source: linked, importedAt: new Date(), linked };
  await writeManifest(context, makeManifest(model('sdxl'), origin, await describeFolder(linked)));
  const invoked: string[] = [];
  const invoke = withLinkedListings(
    async ({ functionName }) => {
      invoked.push(functionName);
      const check = await requireStoredModel(context, 'sdxl').catch((error: Error) => error.name);
      return { statusCode: 200, executedVersion: '1', payload: JSON.stringify(check) };
    },
    () => context,
  );
  const call = async (functionName: string) => {
    const as = { roleArn: 'role', stateMachineArn: 'machine' };
    const { signal } = new AbortController();
    const { payload } = await invoke({ functionName, payload: '{}', signal, ...as });
    return JSON.parse(payload);
  };
  expect(await call('Proxytune-MachineLambdasStartJob0-1')).toBe('ModelChanged');
  expect(await call('Proxytune-MachineLambdasPlanRun0-1')).toMatchObject({ linked });
  writeFileSync(join(linked, 'config.json'), '{"other": 1}');
  expect(await call('Proxytune-MachineLambdasStartJob0-1')).toMatchObject({ linked });
  expect(await call('Proxytune-MachineLambdasPlanRun0-1')).toBe('ModelChanged');
  expect(invoked).toHaveLength(4);
});
