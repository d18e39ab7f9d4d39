/** Large files of an import go in parts; an earlier import has sent some of them, or another one sends them too. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { requireStoredModel } from '../../lib/aws/models.ts';
import { PART_BYTES } from '../../lib/aws/upload.ts';
import { keys } from '../../lib/core/keys.ts';
import { safetensors, sdxlFiles } from '../aws/model-folders.ts';
import { BUCKET } from '../lambdas/bench.ts';
import { Imports } from './importing.ts';

let imports: Imports;

beforeAll(async () => {
  imports = await Imports.start();
}, 90_000);
afterAll(() => imports?.close(), 60_000);
beforeEach(() => {
  imports.sent = [];
});

test('a large file goes in parts, and of one that was broken off only the missing parts', async () => {
  const name = 'unet/diffusion_pytorch_model.safetensors';
  const folder = imports.folderOf('large', sdxlFiles(2 * PART_BYTES + 1000));
  const Key = keys.model('sdxl') + name;
  const sha256 = createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex');
  const begin = new CreateMultipartUploadCommand({ Bucket: BUCKET, Key, Metadata: { sha256 } });
  const { UploadId } = await imports.aws.s3.send(begin);
  const file = await open(join(folder, name));
  const Body = Buffer.alloc(PART_BYTES);
  await file.read(Body, 0, PART_BYTES, PART_BYTES);
  await file.close();
  await imports.aws.s3.send(new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 2, Body }));
  // A part of other content must not be taken for ours.
  const wrong = Buffer.alloc(PART_BYTES, 9);
  await imports.aws.s3.send(
    new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body: wrong }),
  );
  imports.sent = [];
  const { files } = await imports.bring(folder);
  expect(
    imports
      .writes()
      .filter((line) => line.includes(name))
      .sort(),
  ).toEqual([`CompleteMultipartUpload ${name}`, `UploadPart ${name} 1`, `UploadPart ${name} 3`].sort());
  await requireStoredModel(imports.bench.context, 'sdxl');
  const object = await imports.bench.get(Key);
  expect(object.text.length).toBeGreaterThan(2 * PART_BYTES);
  expect(files.find(({ path }) => path === name)?.etag).toMatch(/-3$/);
}, 60_000);

test('an upload that was begun for another file with the same first part keeps nothing of it', async () => {
  const name = 'unet/diffusion_pytorch_model.safetensors';
  const folder = imports.folderOf('tuned', sdxlFiles(PART_BYTES + 500));
  const Key = keys.model('sdxl') + name;
  const Metadata = { sha256: '0'.repeat(64) };
  const { UploadId } = await imports.aws.s3.send(
    new CreateMultipartUploadCommand({ Bucket: BUCKET, Key, Metadata, ChecksumAlgorithm: 'CRC32' }),
  );
  const Body = readFileSync(join(folder, name)).subarray(0, PART_BYTES);
  const part = { Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body, ChecksumAlgorithm: 'CRC32' } as const;
  await imports.aws.s3.send(new UploadPartCommand(part));
  const { files } = await imports.bring(folder);
  const stored = await imports.aws.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
  // Otherwise the other file would be taken for this one's content when it is imported next.
  expect(stored.Metadata?.sha256).toBe(files.find(({ path }) => path === name)?.sha256);
  await requireStoredModel(imports.bench.context, 'sdxl');
}, 60_000);

describe('several imports of a model at once', () => {
  const name = 'unet/diffusion_pytorch_model.safetensors';
  const upload = { Bucket: BUCKET, Key: keys.model('sdxl') + name };

  test('of the same files all come to their end, and the model is whole', async () => {
    const folder = imports.folderOf('at-once', { ...sdxlFiles(), [name]: safetensors(PART_BYTES + 7, 44) });
    const brought = await Promise.all([imports.bring(folder), imports.bring(folder)]);
    expect(brought.map(({ model }) => model)).toEqual(['sdxl', 'sdxl']);
    await requireStoredModel(imports.bench.context, 'sdxl');
    // Whoever calls again finds it, and leaves the manifest there while it looks.
    imports.sent = [];
    await imports.bring(folder);
    expect(imports.writes()).toEqual(['PutObject manifest.json']);
    expect(imports.sent.filter((line) => line.startsWith('Delete'))).toEqual([]);
  }, 60_000);

  test('a manifest that another import deletes after the listing counts as missing', async () => {
    await imports.bring(imports.folderOf('deleted', sdxlFiles()));
    const drop = () =>
      imports.aws.s3.send(new DeleteObjectCommand({ ...upload, Key: keys.modelManifest('sdxl') }));
    const met = imports.before('GetObject', 'manifest.json', drop);
    await expect(requireStoredModel(imports.aws, 'sdxl')).rejects.toMatchObject({ name: 'ModelMissing' });
    expect(met()).toBe(true);
  }, 60_000);

  test.each(['completed', 'given up'])(
    'an upload that another one has %s meanwhile is not an error',
    async (ended) => {
      const content = safetensors(PART_BYTES + 99, 33 + ended.length);
      const folder = imports.folderOf('ended', { ...sdxlFiles(), [name]: content });
      const sha256 = createHash('sha256').update(content).digest('hex');
      const { s3 } = imports.aws;
      const begin = { ...upload, Metadata: { sha256 }, ChecksumAlgorithm: 'CRC32' } as const;
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand(begin));
      const send = async (PartNumber: number, Body: Buffer) => {
        const part = { ...upload, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' } as const;
        const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand(part));
        return { PartNumber, ETag, ChecksumCRC32 };
      };
      const first = await send(1, content.subarray(0, PART_BYTES));
      const givenUp = () => s3.send(new AbortMultipartUploadCommand({ ...upload, UploadId }));
      const completed = async () => {
        const Parts = [first, await send(2, content.subarray(PART_BYTES))];
        await s3.send(
          new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } }),
        );
      };
      // Just before this import sends the part that is missing.
      const met = imports.before('UploadPart', name, ended === 'completed' ? completed : givenUp);
      await imports.bring(folder).finally(() => expect(met()).toBe(true));
      await requireStoredModel(imports.bench.context, 'sdxl');
      const stored = await s3.send(new HeadObjectCommand(upload));
      expect(stored).toMatchObject({ ContentLength: content.length, Metadata: { sha256 } });
    },
    60_000,
  );

  test('one of the other files is reported by name, and a mixture does not pass for a model', async () => {
    const [slow = '', fast = ''] = [21, 22].map((seed) =>
      imports.folderOf(`other-${seed}`, {
        ...sdxlFiles(),
        'vae/diffusion_pytorch_model.safetensors': safetensors(32, seed),
      }),
    );
    // All files of the slow one are there, and its manifest is not yet.
    const met = imports.before('PutObject', 'manifest.json', () => imports.bring(fast));
    const printed = imports.bring(slow).finally(() => expect(met()).toBe(true));
    await expect(printed).rejects.toMatchObject({
      name: 'RunActive',
      message: expect.stringMatching(/Another import has changed.*vae\/diff.*then retry/),
    });
    await expect(requireStoredModel(imports.bench.context, 'sdxl')).rejects.toMatchObject({
      name: 'ModelChanged',
    });
    await imports.bring(slow);
    await requireStoredModel(imports.bench.context, 'sdxl');
  }, 60_000);
});
