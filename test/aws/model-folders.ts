/** Small model folders on disk, of the right layout, for tests that look at files and not at what they compute. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Model, model } from '../../lib/core/catalogue/models.ts';

/** A safetensors file of one tensor of so many bytes, which differ by `seed`. */
export function safetensors(size: number, seed = 1): Buffer {
  const header = Buffer.from(JSON.stringify({ x: { dtype: 'U8', shape: [size], data_offsets: [0, size] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = Buffer.alloc(size, Buffer.from([seed, 7, seed + 1]));
  return Buffer.concat([length, header, data]);
}

/** The identifying fields of a model, as its file of that name has them. */
export function identifyingSettings({ identifyingFields }: Model, path: string): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const [field, wanted] of Object.entries(identifyingFields[path] ?? {})) {
    const names = field.split('.');
    const parent = names.slice(0, -1).reduce((at, name) => {
      at[name] ??= {};
      return at[name] as Record<string, unknown>;
    }, settings);
    parent[names.at(-1) ?? ''] = Array.isArray(wanted) ? wanted[0] : wanted;
  }
  return settings;
}

/** Writes files under a folder, making it. */
export function write(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** The files of an SDXL folder, with weights that are a few bytes, or of the size given for the U-Net. */
export function sdxlFiles(unet = 64): Record<string, string | Buffer> {
  const parts = {
    scheduler: ['diffusers', 'EulerDiscreteScheduler'],
    text_encoder: ['transformers', 'CLIPTextModel'],
    text_encoder_2: ['transformers', 'CLIPTextModelWithProjection'],
    tokenizer: ['transformers', 'CLIPTokenizer'],
    tokenizer_2: ['transformers', 'CLIPTokenizer'],
    unet: ['diffusers', 'UNet2DConditionModel'],
    vae: ['diffusers', 'AutoencoderKL'],
    image_encoder: [null, null],
  };
  const index = { _class_name: 'StableDiffusionXLPipeline', force_zeros_for_empty_prompt: true, ...parts };
  const files: Record<string, string | Buffer> = {
    'model_index.json': JSON.stringify(index),
    'scheduler/scheduler_config.json': '{"a":1}',
    'unet/diffusion_pytorch_model.safetensors': safetensors(unet, 5),
    'vae/diffusion_pytorch_model.safetensors': safetensors(32, 6),
  };
  for (const part of ['text_encoder', 'text_encoder_2']) files[`${part}/model.safetensors`] = safetensors(48);
  for (const part of ['text_encoder', 'text_encoder_2', 'unet', 'vae'])
    files[`${part}/config.json`] = sdxlSettings(`${part}/config.json`, part);
  for (const part of ['tokenizer', 'tokenizer_2'])
    for (const file of ['vocab.json', 'merges.txt', 'tokenizer_config.json', 'special_tokens_map.json'])
      files[`${part}/${file}`] = `${part}${file}`;
  return files;
}

/** A settings file of an SDXL folder, which differs by `of`. */
export function sdxlSettings(path: string, of: string): string {
  return JSON.stringify({ ...identifyingSettings(model('sdxl'), path), of });
}

/** The hub's files of a model: those that the catalogue names, and some others. */
export function hubFiles(row: Model): Record<string, string | Buffer> {
  const { hub } = row;
  const files: Record<string, string | Buffer> = { 'README.md': 'words', 'unet/model.onnx': safetensors(9) };
  for (const pattern of hub?.files ?? []) {
    const path = pattern.replace('*', pattern.endsWith('/*') ? 'vocab.json' : '00001-of-00001');
    files[path] = path.endsWith('.safetensors')
      ? safetensors(5000, path.length)
      : JSON.stringify({ ...identifyingSettings(row, path), of: path });
  }
  for (const path of Object.keys(files))
    if (path.endsWith('.safetensors.index.json')) files[path] = '{"weight_map":{}}';
  files['model_index.json'] = JSON.stringify({ _class_name: hub?.pipeline });
  return files;
}
