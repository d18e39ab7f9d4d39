/** A model whose weights are wrong. */
import { createHash } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { keys } from '../../lib/core/keys.ts';
import { modelManifest } from '../../lib/core/models/manifest.ts';
import { readBytes, readText, type TestCloud } from './pipeline.ts';

/** Overwrites weights. @param inManifest - also updates the manifest. @returns a function that restores the weights */
export async function corruptWeights(cloud: TestCloud, inManifest: boolean): Promise<() => Promise<void>> {
  const model = keys.model('sdxl-tiny');
  const path = 'unet/diffusion_pytorch_model.safetensors';
  const put = (Key: string, Body: Uint8Array | string) =>
    cloud.s3.send(new PutObjectCommand({ Bucket: cloud.bucket, Key, Body }));
  const original = await readBytes(cloud, model + path);
  const manifest = (await readText(cloud, keys.modelManifest('sdxl-tiny'))) ?? '';
  const { ETag } = await put(model + path, Buffer.from('no weights'));
  if (inManifest) {
    const parsed = modelManifest.parse(JSON.parse(manifest));
    const sha256 = createHash('sha256').update('no weights').digest('hex');
    const entry = { path, size: 10, sha256, etag: ETag?.replaceAll('"', '') ?? '', modified: null };
    const files = parsed.files.map((file) => (file.path === path ? entry : file));
    await put(keys.modelManifest('sdxl-tiny'), JSON.stringify({ ...parsed, files }));
  }
  return async () => {
    await put(model + path, original);
    await put(keys.modelManifest('sdxl-tiny'), manifest);
  };
}
