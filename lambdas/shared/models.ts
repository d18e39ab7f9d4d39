/** Base models as a plan looks at them: one listing and a manifest, no weights. */
import { keys } from '../../lib/core/keys.ts';
import { MANIFEST_FILE, requireModel } from '../../lib/core/model-manifest.ts';
import { listObjects, readText } from './bucket.ts';
import { setting } from './environment.ts';

/**
 * Finds out before any GPU whether a model is there, whole, and as it was brought in.
 * @throws ModelMissing, ModelChanged
 */
export async function requireModelInBucket(id: string): Promise<void> {
  const prefix = keys.model(id);
  const found = (await listObjects(prefix)).map(({ key, ...rest }) => ({
    path: key.slice(prefix.length),
    ...rest,
  }));
  const complete = found.some(({ path }) => path === MANIFEST_FILE);
  requireModel(id, {
    where: `s3://${setting('BUCKET')}/${prefix}`,
    manifest: complete ? await readText(keys.modelManifest(id)) : undefined,
    // A key that ends in a slash is a folder of the S3 console.
    files: found.filter(({ path }) => path !== MANIFEST_FILE && path !== '' && !path.endsWith('/')),
  });
}
