/** Base models as a plan looks at them: one listing and a manifest, no weights. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { keys } from '../../core/keys.ts';
import {
  type FoundFile,
  type Held,
  MANIFEST_FILE,
  type ModelManifest,
  requireManifest,
  requireModel,
  requirePlanned,
} from '../../core/models/manifest.ts';
import type { ChosenModel } from '../../core/plan/plan.ts';
import { listObjects, readText } from './bucket.ts';
import { setting } from './environment.ts';

/**
 * Finds out before any GPU whether a model is there, whole, and as it was brought in.
 * @throws ModelMissing, ModelChanged
 */
export async function requireModelInBucket(id: string): Promise<ModelManifest> {
  const held = await heldInBucket(id);
  const { linked, files } = requireManifest(id, held);
  // In an account a link leads nowhere: the bucket lacks every file, and is said to.
  if (linked === null || setting('LINKED_MODELS') !== 'yes') return requireModel(id, held);
  return requireModel(id, { ...held, where: linked, files: await filesOnDisk(linked, files) });
}

/** @throws ModelChanged when the bucket holds another model than the run was planned with */
export async function requirePlannedModel(planned: ChosenModel): Promise<void> {
  const key = keys.modelManifest(planned.id);
  const there = (await listObjects(key, 1)).length > 0;
  requirePlanned(
    planned,
    `s3://${setting('BUCKET')}/${keys.model(planned.id)}`,
    there ? await readText(key) : undefined,
  );
}

async function heldInBucket(id: string): Promise<Held> {
  const prefix = keys.model(id);
  const found = (await listObjects(prefix)).map(({ key, size, etag }) => ({
    path: key.slice(prefix.length),
    size,
    etag,
  }));
  const complete = found.some(({ path }) => path === MANIFEST_FILE);
  return {
    where: `s3://${setting('BUCKET')}/${prefix}`,
    manifest: complete ? await readText(keys.modelManifest(id)) : undefined,
    // A key that ends in a slash is a folder of the S3 console.
    files: found.filter(({ path }) => path !== MANIFEST_FILE && path !== '' && !path.endsWith('/')),
  };
}

/** Size and time of the files of a linked model; those that are gone are left out. */
async function filesOnDisk(folder: string, files: ModelManifest['files']): Promise<FoundFile[]> {
  const found = files.map(async ({ path }) => {
    const seen = await stat(join(folder, path)).catch(() => undefined);
    return seen && { path, size: seen.size, modified: Math.floor(seen.mtimeMs) };
  });
  return (await Promise.all(found)).filter((file) => file !== undefined);
}
