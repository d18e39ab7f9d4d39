/** `proxytune import-model --from FOLDER`, into the emulator's bucket, judged by the very look that a plan takes. */
import { createHash } from 'node:crypto';
import {
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateMultipartUploadCommand, HeadObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { listObjects } from '../../lambdas/shared/bucket.ts';
import { requireModelInBucket } from '../../lambdas/shared/models.ts';
import { type Place, placeOf } from '../../lib/cli/clients.ts';
import { importFolder } from '../../lib/cli/import-folder.ts';
import { importModelCommand } from '../../lib/cli/import-model.ts';
import type { Output } from '../../lib/cli/output.ts';
import { model } from '../../lib/core/catalogue.ts';
import { keys } from '../../lib/core/keys.ts';
import { PART_BYTES } from '../../lib/local/multipart.ts';
import { Bench, BUCKET } from '../lambdas/bench.ts';
import { safetensors, sdxlFiles, sdxlSettings, write } from '../local/model-folders.ts';

const SDXL = model('sdxl');
let bench: Bench;
let place: Place;
let data: string;
/** Commands that went to the bucket since the last look, as `PutObject unet/config.json`. */
let sent: string[] = [];

beforeAll(async () => {
  bench = await Bench.start();
  data = realpathSync(mkdtempSync(join(tmpdir(), 'proxytune-import-')));
  const environment = {
    AWS_ENDPOINT_URL: bench.endpoint,
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'y',
  };
  const outputs = { BucketName: BUCKET, TableName: 'ledger', StateMachineArn: 'none' };
  place = placeOf({ environment, outputs });
  place.s3.middlewareStack.add((next, { commandName }) => async (args) => {
    const { Key = '', PartNumber } = args.input as { Key?: string; PartNumber?: number };
    const name = `${commandName?.replace('Command', '')} ${Key.replace(/^models\/[^/]+\//, '')}`;
    sent.push(PartNumber === undefined ? name : `${name} ${PartNumber}`);
    return next(args);
  });
}, 90_000);

afterAll(async () => {
  place?.close();
  await bench?.close();
  if (data) rmSync(data, { recursive: true, force: true });
}, 60_000);

beforeEach(() => {
  sent = [];
});

const said: string[] = [];
const output: Output = {
  json: false,
  terminal: false,
  debug: false,
  say: (line) => said.push(line),
  data: () => {},
  write: () => {},
};
const folderOf = (name: string, files = sdxlFiles()) => {
  const folder = join(data, name);
  rmSync(folder, { recursive: true, force: true });
  write(folder, files);
  return folder;
};
const bring = (folder: string, { link = false, signal = new AbortController().signal, id = 'sdxl' } = {}) =>
  importFolder(place, model(id), folder, { link, output, signal });
const writes = () => sent.filter((name) => /^(Put|Upload|Create|Complete)/.test(name));

test('a folder is brought whole, the manifest last, and a plan takes it', async () => {
  const folder = folderOf('whole', {
    ...sdxlFiles(),
    'unet/diffusion_pytorch_model.fp16.safetensors': safetensors(8),
    'unet/diffusion_pytorch_model.bin': 'a pickle',
    'README.md': 'words',
    '.cache/huggingface/x.json': '{}',
  });
  await expect(requireModelInBucket('sdxl')).rejects.toMatchObject({ name: 'ModelMissing' });
  const manifest = await bring(folder);
  await requireModelInBucket('sdxl');
  expect(writes().at(-1)).toBe('PutObject manifest.json');
  const files = sdxlFiles();
  const there = (await listObjects(keys.model('sdxl'))).map(({ key }) => key.slice('models/sdxl/'.length));
  expect(there.sort()).toEqual([...Object.keys(files), 'manifest.json'].sort());
  expect(manifest).toMatchObject({
    model: 'sdxl',
    revision: null,
    gated: false,
    linked: null,
    source: folder,
  });
  expect(manifest.bytes).toBe(Object.values(files).reduce((sum, content) => sum + content.length, 0));
  expect(said.filter((line) => line.startsWith('left out')).length).toBe(3);
}, 60_000);

test('called again, it brings only what is new, and takes away what is no more', async () => {
  const folder = folderOf('again');
  await bring(folder);
  sent = [];
  await bring(folder);
  expect(writes()).toEqual(['PutObject manifest.json']);
  writeFileSync(join(folder, 'unet/config.json'), sdxlSettings('unet/config.json', 'another'));
  rmSync(join(folder, 'tokenizer/merges.txt'));
  sent = [];
  await bring(folder);
  expect(writes()).toEqual(['PutObject unet/config.json', 'PutObject manifest.json']);
  expect((await listObjects('models/sdxl/tokenizer/')).length).toBe(3);
  await requireModelInBucket('sdxl');
}, 60_000);

test('a large file goes in parts, and of one that was broken off only the missing parts', async () => {
  const name = 'unet/diffusion_pytorch_model.safetensors';
  const folder = folderOf('large', sdxlFiles(2 * PART_BYTES + 1000));
  const Key = keys.model('sdxl') + name;
  const sha256 = createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex');
  const begin = new CreateMultipartUploadCommand({ Bucket: BUCKET, Key, Metadata: { sha256 } });
  const { UploadId } = await place.s3.send(begin);
  const file = await open(join(folder, name));
  const Body = Buffer.alloc(PART_BYTES);
  await file.read(Body, 0, PART_BYTES, PART_BYTES);
  await file.close();
  await place.s3.send(new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 2, Body }));
  // A part of other content must not be taken for ours.
  const wrong = Buffer.alloc(PART_BYTES, 9);
  await place.s3.send(new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body: wrong }));
  sent = [];
  const { files } = await bring(folder);
  expect(
    writes()
      .filter((line) => line.includes(name))
      .sort(),
  ).toEqual([`CompleteMultipartUpload ${name}`, `UploadPart ${name} 1`, `UploadPart ${name} 3`].sort());
  await requireModelInBucket('sdxl');
  const object = await bench.get(Key);
  expect(object.text.length).toBeGreaterThan(2 * PART_BYTES);
  expect(files.find(({ path }) => path === name)?.etag).toMatch(/-3$/);
}, 60_000);

test('an upload that was begun for another file with the same first part keeps nothing of it', async () => {
  const name = 'unet/diffusion_pytorch_model.safetensors';
  const folder = folderOf('tuned', sdxlFiles(PART_BYTES + 500));
  const Key = keys.model('sdxl') + name;
  const Metadata = { sha256: '0'.repeat(64) };
  const { UploadId } = await place.s3.send(
    new CreateMultipartUploadCommand({ Bucket: BUCKET, Key, Metadata, ChecksumAlgorithm: 'CRC32' }),
  );
  const Body = readFileSync(join(folder, name)).subarray(0, PART_BYTES);
  const part = { Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body, ChecksumAlgorithm: 'CRC32' } as const;
  await place.s3.send(new UploadPartCommand(part));
  const { files } = await bring(folder);
  const held = await place.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
  // Otherwise the other file would be taken for this one's content when it is brought in next.
  expect(held.Metadata?.sha256).toBe(files.find(({ path }) => path === name)?.sha256);
  await requireModelInBucket('sdxl');
}, 60_000);

test.each([false, true])(
  'a file that is written to meanwhile is not brought in, linked: %s',
  async (link) => {
    const name = 'vae/diffusion_pytorch_model.safetensors';
    const folder = folderOf('written', { ...sdxlFiles(), [name]: safetensors(32, 55) });
    const file = join(folder, name);
    await bench.delete(keys.modelManifest('sdxl'));
    const meddling: Output = {
      ...output,
      say: (line) => {
        if (line.startsWith(link ? 'reading ' : 'uploading: vae/diff'))
          writeFileSync(file, safetensors(32, 77));
      },
    };
    const options = { link, output: meddling, signal: new AbortController().signal };
    await expect(importFolder(place, SDXL, folder, options)).rejects.toMatchObject({
      name: 'ModelMismatch',
      message: expect.stringContaining('written to while it was read'),
    });
    await expect(requireModelInBucket('sdxl')).rejects.toMatchObject({ name: 'ModelMissing' });
    const { files } = await bring(folder, { link });
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    expect(files.find(({ path }) => path.startsWith('vae/diff'))?.sha256).toBe(hash);
  },
  60_000,
);

describe('links in a folder', () => {
  test('to files and folders elsewhere are followed, and one to a folder above has no end', async () => {
    const elsewhere = folderOf('elsewhere');
    const folder = folderOf('links');
    for (const path of ['vae', 'unet/config.json']) {
      rmSync(join(folder, path), { recursive: true });
      symlinkSync(join(elsewhere, path), join(folder, path));
    }
    symlinkSync('..', join(folder, 'unet/loop'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'README.md'));
    const { files } = await bring(folder, { link: true });
    expect(files.map(({ path }) => path)).toEqual(Object.keys(sdxlFiles()).sort());
    await requireModelInBucket('sdxl');
  });

  test.each(['tokenizer/merges.txt', 'vae/diffusion_pytorch_model.safetensors'])(
    'to nothing are told: %s',
    async (path) => {
      const folder = folderOf('pruned');
      rmSync(join(folder, path));
      symlinkSync(join(folder, 'blobs/0123'), join(folder, path));
      const why = { name: 'ModelMissing', message: expect.stringContaining(`no file at ${path}`) };
      await expect(bring(folder)).rejects.toMatchObject(why);
      expect(sent).toEqual([]);
    },
  );
});

test('a folder that another model was brought into is refused, though its layout would do', async () => {
  const folder = folderOf('other');
  const other = { ...(await bring(folder, { link: true })), model: 'sd3-medium' };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(other));
  const why = { name: 'ModelMismatch', message: expect.stringContaining('it is sd3-medium') };
  await expect(bring(folder, { link: true })).rejects.toMatchObject(why);
});

test('an import that was stopped left no manifest, and the next one goes on', async () => {
  const folder = folderOf('stopped');
  await bench.delete(keys.modelManifest('sdxl'));
  const stop = new AbortController();
  const interrupting: Output = {
    ...output,
    say: (line) => {
      if (line.startsWith('uploading: unet')) stop.abort(new Error('enough'));
    },
  };
  writeFileSync(join(folder, 'unet/config.json'), sdxlSettings('unet/config.json', 'stopped'));
  const options = { link: false, output: interrupting, signal: stop.signal };
  await expect(importFolder(place, SDXL, folder, options)).rejects.toThrow('enough');
  await expect(requireModelInBucket('sdxl')).rejects.toMatchObject({ name: 'ModelMissing' });
  await bring(folder);
  await requireModelInBucket('sdxl');
}, 60_000);

describe('a folder that is no such model is refused before anything is uploaded', () => {
  const cut = safetensors(64).subarray(0, 100);
  const index = '{"weight_map":{"x":"model-00002-of-00002.safetensors"}}';
  const without = (path: string) =>
    Object.fromEntries(Object.entries(sdxlFiles()).filter(([name]) => !name.startsWith(path)));
  test.each<[string, Record<string, string | Buffer>, string, string]>([
    ['without a part', without('vae/'), 'ModelMissing', 'no vae/'],
    ['without weights', without('vae/diffusion'), 'ModelMissing', 'no weights in vae/'],
    ['without an index', without('model_index'), 'ModelMissing', 'no model_index.json'],
    [
      'cut off',
      { ...sdxlFiles(), 'vae/diffusion_pytorch_model.safetensors': cut },
      'ModelMismatch',
      'cut off',
    ],
    [
      'no safetensors',
      { ...sdxlFiles(), 'vae/x.safetensors': 'x' },
      'ModelMismatch',
      'cut off or no safetensors',
    ],
    [
      'a shard short',
      { ...sdxlFiles(), 'unet/model.safetensors.index.json': index },
      'ModelMissing',
      '00002',
    ],
    [
      'of another pipeline',
      { ...sdxlFiles(), 'model_index.json': '{"_class_name":"FluxPipeline"}' },
      'ModelMismatch',
      'of a FluxPipeline, not of a StableDiffusionXLPipeline',
    ],
  ])('%s', async (_, files, name, why) => {
    const folder = folderOf('refused', files);
    await expect(bring(folder)).rejects.toMatchObject({ name, message: expect.stringContaining(why) });
    expect(sent).toEqual([]);
  });

  test('of another family, or not there', async () => {
    const files = { 'config.json': '{"family":"lumina"}', 'gpt.safetensors': safetensors(8) };
    const folder = folderOf('family', files);
    const why = 'config.json is of the family lumina, not of llamagen';
    await expect(bring(folder, { id: 'llamagen-xl' })).rejects.toMatchObject({
      name: 'ModelMismatch',
      message: expect.stringContaining(why),
    });
    await expect(bring(join(data, 'none'))).rejects.toMatchObject({ name: 'ModelMissing' });
  });
});

describe('on one machine', () => {
  test('a folder is linked: the bucket holds its manifest alone, and a plan sees what happens to it', async () => {
    const folder = folderOf('link');
    const manifest = await bring(folder, { link: true });
    expect(manifest.linked).toBe(folder);
    expect((await listObjects('models/sdxl/')).map(({ key }) => key)).toEqual(['models/sdxl/manifest.json']);
    await requireModelInBucket('sdxl');
    process.env.LINKED_MODELS = 'no';
    await expect(requireModelInBucket('sdxl')).rejects.toMatchObject({
      name: 'ModelChanged',
      message: expect.stringContaining('is gone'),
    });
    process.env.LINKED_MODELS = 'yes';
    const file = join(folder, 'vae/diffusion_pytorch_model.safetensors');
    utimesSync(file, new Date(), new Date(0));
    await expect(requireModelInBucket('sdxl')).rejects.toThrow('was written to since');
    rmSync(file);
    await expect(requireModelInBucket('sdxl')).rejects.toThrow(
      'vae/diffusion_pytorch_model.safetensors is gone',
    );
    rmSync(folder, { recursive: true });
    await expect(requireModelInBucket('sdxl')).rejects.toMatchObject({ name: 'ModelChanged' });
    // What made the link makes it good again.
    await bring(folderOf('link'), { link: true });
    await requireModelInBucket('sdxl');
  });

  test('files that are as they were are not read again', async () => {
    const folder = folderOf('known');
    const first = await bring(folder, { link: true });
    const file = join(folder, 'vae/config.json');
    const { mtimeMs } = await import('node:fs').then(({ statSync }) => statSync(file));
    writeFileSync(file, '{"of":"VAE"}');
    utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
    const second = await bring(folder, { link: true });
    // Same size and time: what is checked of a linked folder is just this, as the documents say.
    expect(second.files).toEqual(first.files);
  });
});

describe('before a cloud is even started', () => {
  const call = (id: string, options = {}) =>
    importModelCommand(id, { from: data, data: join(data, 'nowhere'), ...options }, output);

  test.each([
    ['flux-dev', {}, 'LicenceNotAccepted', 'commercial use is not allowed'],
    ['sd3-medium', {}, 'LicenceNotAccepted', '--accept-licence'],
    ['sdxl-tiny', {}, 'UsageInvalid', 'brought in by itself'],
    ['sdxl-miniature', {}, 'UsageInvalid', 'brought in by itself'],
    ['sdx', {}, 'ModelUnknown', 'did you mean sdxl'],
    ['sdxl', { local: true, stack: 'Proxytune' }, 'UsageInvalid', 'one place'],
  ])('%s %j is refused as %s', async (id, options, name, why) => {
    await expect(call(id, options)).rejects.toMatchObject({ name, message: expect.stringContaining(why) });
  });
});
