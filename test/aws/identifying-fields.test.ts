/** Identification of a folder's model: every pair of models that could be taken for each other, in realistic folders. */
import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { layoutOf } from '../../lib/aws/model-folder/layout.ts';
import { type Model, model, modelIds } from '../../lib/core/catalogue/models.ts';
import { PYTHON } from '../../lib/local/paths.ts';
import { temporaryFolder } from '../local/emulator/helpers.ts';
import { hubFiles, identifyingSettings, safetensors, write } from './model-folders.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Models that users import, and may name the wrong folder for. */
const IMPORTED = modelIds()
  .map(model)
  .filter(({ standInFor, shipped }) => standInFor === null && shipped === null);
const pairs = IMPORTED.flatMap((row) =>
  IMPORTED.filter(({ id, role }) => id !== row.id && role === row.role).map((other) => [row, other] as const),
);

/** A folder in the layout of a model, with settings that identify it, and a few bytes of weights. */
function folderOf(row: Model, changes: Readonly<Record<string, Record<string, unknown>>> = {}): string {
  const dir = join(folder, `${row.id}-${Object.keys(changes).length}`);
  rmSync(dir, { recursive: true, force: true });
  const settings = Object.fromEntries(
    Object.keys(row.identifyingFields).map((path) => [
      path,
      JSON.stringify({
        ...(row.hub === null && path === 'config.json' && { family: row.family }),
        ...identifyingSettings(row, path),
        ...changes[path],
      }),
    ]),
  );
  const parts = Object.keys(row.identifyingFields).filter((path) => path.endsWith('/config.json'));
  const weights = parts.map((path) => [path.replace('config.json', 'weights.safetensors'), safetensors(8)]);
  const files =
    row.role === 'teacher'
      ? hubFiles(row)
      : {
          'weights.safetensors': safetensors(8),
          'config.json': JSON.stringify({ family: row.family }),
          ...Object.fromEntries(weights),
        };
  write(dir, { ...files, ...settings });
  return dir;
}

const refused = (row: Model, dir: string) =>
  layoutOf(row, dir).then(
    () => undefined,
    (error: Error) => error,
  );

test('every imported model has identifying fields', () => {
  expect(
    IMPORTED.filter(({ identifyingFields }) => Object.keys(identifyingFields).length === 0).map(
      ({ id }) => id,
    ),
  ).toEqual([]);
});

test.each(IMPORTED.map((row) => [row.id, row] as const))('a folder of %s is taken for it', async (_, row) => {
  expect(await refused(row, folderOf(row))).toBeUndefined();
});

test('a network without its weights is missed before anything is uploaded', async () => {
  const row = model('dreamsim-ensemble');
  const dir = folderOf(row);
  rmSync(join(dir, 'open-clip/weights.safetensors'));
  expect(await refused(row, dir)).toMatchObject({
    name: 'ModelMissing',
    message: expect.stringContaining('no weights in open-clip/'),
  });
});

test.each(pairs.map(([row, other]) => [row.id, other.id, row, other] as const))(
  'for %s a folder of %s is refused',
  async (_row, _other, row, other) => {
    const error = await refused(row, folderOf(other));
    expect(error?.name).toMatch(/^Model(Mismatch|Missing)$/);
    expect(error?.message).toContain(join(folder, other.id));
  },
);

test('the error for another model of the same classes has the actual and the expected fields, and that model', async () => {
  const dir = folderOf(model('sd3.5-large'));
  expect(await refused(model('sd3-medium'), dir)).toMatchObject({
    name: 'ModelMismatch',
    message:
      `The folder is not Stable Diffusion 3 Medium, but Stable Diffusion 3.5 Large. ` +
      `Given: ${dir}: transformer/config.json has num_layers 38 instead of 24; transformer/config.json has qk_norm "rms_norm" instead of unset. ` +
      `Allowed: a folder of sd3-medium, as published at stabilityai/stable-diffusion-3-medium-diffusers. ` +
      `What to do: name that folder, or import this one as sd3.5-large.`,
  });
});

// Sizes of models that the catalogue does not hold, from their published settings.
test.each([
  [
    'sd3-medium',
    'SD3.5 Medium',
    { 'transformer/config.json': { qk_norm: 'rms_norm' } },
    'qk_norm "rms_norm"',
  ],
  ['sdxl', 'SDXL for inpainting', { 'unet/config.json': { in_channels: 9 } }, 'in_channels 9 instead of 4'],
  [
    'flux-dev',
    'FLUX.1 schnell',
    { 'transformer/config.json': { guidance_embeds: false } },
    'guidance_embeds false instead of true',
  ],
  [
    'llamagen-xl',
    'stage 1, of 256 px',
    { 'config.json': { image_size: 256 } },
    'image_size 256 instead of 512',
  ],
  [
    'janus-pro-1b',
    'Janus-Pro 7B',
    { 'config.json': { text_config: { hidden_size: 4096, num_hidden_layers: 30 } } },
    'text_config.num_hidden_layers 30 instead of 24',
  ],
  [
    'janus-pro-1b',
    'the files of deepseek-ai',
    { 'config.json': { model_type: 'multi_modality', text_config: undefined } },
    'text_config.hidden_size unset instead of 2048',
  ],
  [
    'clip-vit-b32',
    'ViT-L/14',
    { 'config.json': { projection_dim: 768 } },
    'projection_dim 768 instead of 512',
  ],
  ['dino-vits16', 'ViT-S/8', { 'config.json': { patch_size: 8 } }, 'patch_size 8 instead of 16'],
])('for %s a folder of %s is refused', async (id, _what, changes, why) => {
  expect(await refused(model(id), folderOf(model(id), changes))).toMatchObject({
    name: 'ModelMismatch',
    message: expect.stringContaining(why),
  });
});

test('a setting that its library leaves out where it is the usual one need not be there', async () => {
  const clip = model('clip-vit-b32');
  const left = { 'config.json': { projection_dim: undefined, vision_config: {} } };
  expect(await refused(clip, folderOf(clip, left))).toBeUndefined();
});

test('settings that are not there, or are none, are named', async () => {
  const dir = folderOf(model('sdxl'), { none: {} });
  const file = join(dir, 'unet/config.json');
  writeFileSync(file, 'no JSON');
  expect((await refused(model('sdxl'), dir))?.message).toContain('unet/config.json is not JSON');
  rmSync(file);
  expect((await refused(model('sdxl'), dir))?.message).toContain('no unet/config.json');
});

test('the small models of the same classes, trained or made here, are refused for those that they stand for', async () => {
  const made = IMPORTED.flatMap(({ tiny }) => tiny ?? []);
  const tool = join(ROOT, 'containers/dev/tools/make_tiny_models.py');
  await promisify(execFile)(PYTHON, [tool, '--out', folder, '--only', ...made]);
  const shipped = modelIds().flatMap((id) => model(id).shipped ?? []);
  const folders = [...made.map((id) => join(folder, id)), ...shipped.map((path) => join(ROOT, path))];
  expect(folders.filter((dir) => !existsSync(dir))).toEqual([]);
  for (const dir of folders) {
    const small = model(basename(dir));
    const alike = IMPORTED.filter(({ role, family }) => role === small.role && family === small.family);
    expect(alike).not.toEqual([]);
    for (const row of alike) {
      expect([row.id, small.id, await refused(row, dir)]).toEqual([
        row.id,
        small.id,
        expect.objectContaining({
          name: 'ModelMismatch',
          message: expect.stringContaining(' instead of '),
        }),
      ]);
    }
  }
}, 60_000);
