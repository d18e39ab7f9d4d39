/** `proxytune import-model --from FOLDER`, into the emulator's bucket, with the check that a plan makes. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireStoredModel } from '../../lib/aws/models.ts';
import { listObjects } from '../../lib/aws/s3.ts';
import { importModelCommand } from '../../lib/cli/commands/import-model.ts';
import type { Output } from '../../lib/cli/output.ts';
import { keys } from '../../lib/core/keys.ts';
import { storeLinkedListings } from '../../lib/local/linked-models.ts';
import { safetensors, sdxlFiles, sdxlSettings } from '../aws/model-folders.ts';
import { Imports } from './importing.ts';

let imports: Imports;

beforeAll(async () => {
  imports = await Imports.start();
}, 90_000);
afterAll(() => imports?.close(), 60_000);
beforeEach(() => {
  imports.sent = [];
});

/** Checks the model as a plan in the local cloud does. */
async function planCheck() {
  await storeLinkedListings(imports.bench.context);
  return requireStoredModel(imports.bench.context, 'sdxl');
}

test('a folder is imported completely, the manifest last, and a plan accepts it', async () => {
  const folder = imports.folderOf('whole', {
    ...sdxlFiles(),
    'unet/diffusion_pytorch_model.fp16.safetensors': safetensors(8),
    'unet/diffusion_pytorch_model.bin': 'a pickle',
    'README.md': 'words',
    '.cache/huggingface/x.json': '{}',
  });
  await expect(planCheck()).rejects.toMatchObject({ name: 'ModelMissing' });
  const manifest = await imports.bring(folder);
  await planCheck();
  expect(imports.writes().at(-1)).toBe('PutObject manifest.json');
  const files = sdxlFiles();
  const there = (await listObjects(imports.bench.context, keys.model('sdxl'))).map(({ key }) =>
    key.slice('models/sdxl/'.length),
  );
  expect(there.sort()).toEqual([...Object.keys(files), 'manifest.json'].sort());
  expect(manifest).toMatchObject({
    model: 'sdxl',
    revision: null,
    gated: false,
    linked: null,
    source: folder,
  });
  expect(manifest.bytes).toBe(Object.values(files).reduce((sum, content) => sum + content.length, 0));
  expect(imports.said.filter((line) => line.startsWith('left out')).length).toBe(3);
}, 60_000);

test('called again, it uploads only what is new, and deletes what no longer exists', async () => {
  const folder = imports.folderOf('again');
  await imports.bring(folder);
  imports.sent = [];
  await imports.bring(folder);
  expect(imports.writes()).toEqual(['PutObject manifest.json']);
  writeFileSync(join(folder, 'unet/config.json'), sdxlSettings('unet/config.json', 'another'));
  rmSync(join(folder, 'tokenizer/merges.txt'));
  imports.sent = [];
  await imports.bring(folder);
  expect(imports.writes()).toEqual(['PutObject unet/config.json', 'PutObject manifest.json']);
  expect((await listObjects(imports.bench.context, 'models/sdxl/tokenizer/')).length).toBe(3);
  await planCheck();
}, 60_000);

test.each([false, true])(
  'a file that is written to meanwhile is not imported, linked: %s',
  async (link) => {
    const name = 'vae/diffusion_pytorch_model.safetensors';
    const folder = imports.folderOf('written', { ...sdxlFiles(), [name]: safetensors(32, 55) });
    const file = join(folder, name);
    await imports.bench.delete(keys.modelManifest('sdxl'));
    const meddling: Output = {
      ...imports.output,
      say: (line) => {
        if (line.startsWith(link ? 'reading ' : 'uploading: vae/diff'))
          writeFileSync(file, safetensors(32, 77));
      },
    };
    await expect(imports.bring(folder, { link, output: meddling })).rejects.toMatchObject({
      name: 'ModelMismatch',
      message: expect.stringContaining('written to while it was read'),
    });
    await expect(planCheck()).rejects.toMatchObject({ name: 'ModelMissing' });
    const { files } = await imports.bring(folder, { link });
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    expect(files.find(({ path }) => path.startsWith('vae/diff'))?.sha256).toBe(hash);
  },
  60_000,
);

describe('links in a folder', () => {
  test('to files and folders elsewhere are followed, and one to a folder above has no end', async () => {
    const elsewhere = imports.folderOf('elsewhere');
    const folder = imports.folderOf('links');
    for (const path of ['vae', 'unet/config.json']) {
      rmSync(join(folder, path), { recursive: true });
      symlinkSync(join(elsewhere, path), join(folder, path));
    }
    symlinkSync('..', join(folder, 'unet/loop'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'README.md'));
    const { files } = await imports.bring(folder, { link: true });
    expect(files.map(({ path }) => path)).toEqual(Object.keys(sdxlFiles()).sort());
    await planCheck();
  });

  test.each(['tokenizer/merges.txt', 'vae/diffusion_pytorch_model.safetensors'])(
    'to nothing are reported: %s',
    async (path) => {
      const folder = imports.folderOf('pruned');
      rmSync(join(folder, path));
      symlinkSync(join(folder, 'blobs/0123'), join(folder, path));
      const why = { name: 'ModelMissing', message: expect.stringContaining(`no file at ${path}`) };
      await expect(imports.bring(folder)).rejects.toMatchObject(why);
      expect(imports.sent).toEqual([]);
    },
  );
});

test('a folder into which another model was downloaded is refused, though its layout would do', async () => {
  const folder = imports.folderOf('other');
  const other = { ...(await imports.bring(folder, { link: true })), model: 'sd3-medium' };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(other));
  const why = { name: 'ModelMismatch', message: expect.stringContaining('it is sd3-medium') };
  await expect(imports.bring(folder, { link: true })).rejects.toMatchObject(why);
});

test('an import that was stopped left no manifest, and the next one continues', async () => {
  const folder = imports.folderOf('stopped');
  await imports.bench.delete(keys.modelManifest('sdxl'));
  const stop = new AbortController();
  const interrupting: Output = {
    ...imports.output,
    say: (line) => {
      if (line.startsWith('uploading: unet')) stop.abort(new Error('enough'));
    },
  };
  writeFileSync(join(folder, 'unet/config.json'), sdxlSettings('unet/config.json', 'stopped'));
  const options = { output: interrupting, signal: stop.signal };
  await expect(imports.bring(folder, options)).rejects.toThrow('enough');
  await expect(planCheck()).rejects.toMatchObject({ name: 'ModelMissing' });
  await imports.bring(folder);
  await planCheck();
}, 60_000);

describe('a folder that is not that model is refused before anything is uploaded', () => {
  const cut = safetensors(64).subarray(0, 100);
  const index = '{"weight_map":{"x":"model-00002-of-00002.safetensors"}}';
  const without = (path: string) =>
    Object.fromEntries(Object.entries(sdxlFiles()).filter(([name]) => !name.startsWith(path)));
  test.each<[string, Record<string, string | Buffer>, string, string]>([
    ['without a part', without('vae/'), 'ModelMissing', 'no vae/'],
    ['without weights', without('vae/diffusion'), 'ModelMissing', 'no weights in vae/'],
    ['without an index', without('model_index'), 'ModelMissing', 'no model_index.json'],
    [
      'truncated',
      { ...sdxlFiles(), 'vae/diffusion_pytorch_model.safetensors': cut },
      'ModelMismatch',
      'truncated',
    ],
    [
      'not safetensors',
      { ...sdxlFiles(), 'vae/x.safetensors': 'x' },
      'ModelMismatch',
      'truncated or not a safetensors',
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
      'for a FluxPipeline, not a StableDiffusionXLPipeline',
    ],
  ])('%s', async (_, files, name, why) => {
    const folder = imports.folderOf('refused', files);
    await expect(imports.bring(folder)).rejects.toMatchObject({
      name,
      message: expect.stringContaining(why),
    });
    expect(imports.sent).toEqual([]);
  });

  test('of another family, or not there', async () => {
    const files = { 'config.json': '{"family":"lumina"}', 'gpt.safetensors': safetensors(8) };
    const folder = imports.folderOf('family', files);
    const why = 'config.json names the family lumina, not llamagen';
    await expect(imports.bring(folder, { id: 'llamagen-xl' })).rejects.toMatchObject({
      name: 'ModelMismatch',
      message: expect.stringContaining(why),
    });
    await expect(imports.bring(join(imports.data, 'none'))).rejects.toMatchObject({ name: 'ModelMissing' });
  });
});

describe('on one machine', () => {
  test('a folder is linked: the bucket has its manifest alone, and a plan finds every change to it', async () => {
    const folder = imports.folderOf('link');
    const manifest = await imports.bring(folder, { link: true });
    expect(manifest.linked).toBe(folder);
    expect((await listObjects(imports.bench.context, 'models/sdxl/')).map(({ key }) => key)).toEqual([
      'models/sdxl/manifest.json',
    ]);
    // Elsewhere nothing lists the folder, and a link leads nowhere.
    await expect(requireStoredModel(imports.bench.context, 'sdxl')).rejects.toMatchObject({
      name: 'ModelChanged',
      message: expect.stringContaining('is missing'),
    });
    await planCheck();
    const file = join(folder, 'vae/diffusion_pytorch_model.safetensors');
    utimesSync(file, new Date(), new Date(0));
    await expect(planCheck()).rejects.toThrow('was written to since');
    rmSync(file);
    await expect(planCheck()).rejects.toThrow('vae/diffusion_pytorch_model.safetensors is missing');
    rmSync(folder, { recursive: true });
    await expect(planCheck()).rejects.toMatchObject({ name: 'ModelChanged' });
    // A new import makes the link valid again.
    await imports.bring(imports.folderOf('link'), { link: true });
    await planCheck();
  });

  test('unchanged files are not read again', async () => {
    const folder = imports.folderOf('known');
    const first = await imports.bring(folder, { link: true });
    const file = join(folder, 'vae/config.json');
    const { mtimeMs } = await import('node:fs').then(({ statSync }) => statSync(file));
    writeFileSync(file, '{"of":"VAE"}');
    utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
    const second = await imports.bring(folder, { link: true });
    // Same size and time: a linked folder is checked for exactly this, as the documents say.
    expect(second.files).toEqual(first.files);
  });
});

describe('before a cloud is even started', () => {
  const call = (id: string, options = {}) =>
    importModelCommand(
      id,
      { from: imports.data, data: join(imports.data, 'nowhere'), ...options },
      imports.output,
    );

  test.each([
    ['flux-dev', {}, 'LicenceNotAccepted', 'commercial use is not allowed'],
    ['sd3-medium', {}, 'LicenceNotAccepted', '--accept-licence'],
    ['sdxl-tiny', {}, 'UsageInvalid', 'imported automatically'],
    ['sdxl-miniature', {}, 'UsageInvalid', 'imported automatically'],
    ['sdx', {}, 'ModelUnknown', 'did you mean sdxl'],
    ['sdxl', { local: true, stack: 'Proxytune' }, 'UsageInvalid', 'one place'],
    ['sdxl', { from: '/nope' }, 'ModelMissing', '/nope'],
    ['sdxl', { from: import.meta.dirname }, 'ModelMissing', 'test/cli'],
  ])('%s %j is refused as %s', async (id, options, name, why) => {
    await expect(call(id, options)).rejects.toMatchObject({ name, message: expect.stringContaining(why) });
    expect(existsSync(join(imports.data, 'nowhere'))).toBe(false);
  });

  test('only models that can be imported are offered for one that is unknown', async () => {
    const { facts } = await call('nope').catch((error) => error);
    const offered: string[] = facts.allowed.split(', ');
    expect(offered).toContain('sdxl');
    expect(offered).toContain('flux-dev');
    for (const id of offered) {
      const refused = await call(id, { from: '/nope', acceptLicence: true }).catch((error) => error);
      expect({ id, name: refused.name }).toEqual({ id, name: 'ModelMissing' });
    }
  });
});
