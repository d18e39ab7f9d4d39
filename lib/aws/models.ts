/** Base models in the bucket: the inventory of one, and whether it is the model that was imported or planned. */
import { keys } from '../core/keys.ts';
import {
  type Inventory,
  LINKED_FILES,
  linkedFiles,
  MANIFEST_FILE,
  type ModelManifest,
  requireModel,
  requirePlanned,
} from '../core/models/manifest.ts';
import type { ChosenModel } from '../core/plan/plan.ts';
import { type BucketContext, exists, findText, listObjects, writeJson } from './s3.ts';

/**
 * The inventory of a model: one listing and a manifest, no weights. Of a linked model, whose files stay in a folder
 * of one machine, the local cloud stores a listing next to the manifest; elsewhere a link leads nowhere, and every
 * file is missing.
 */
export async function storedModel(context: BucketContext, id: string): Promise<Inventory> {
  const prefix = keys.model(id);
  const found = (await listObjects(context, prefix)).map(({ key, size, etag }) => ({
    path: key.slice(prefix.length),
    size,
    etag,
  }));
  // Another import may delete the manifest between the listing and this.
  const read = async (name: string) =>
    found.some(({ path }) => path === name) ? findText(context, prefix + name) : undefined;
  const manifest = await read(MANIFEST_FILE);
  const listing = manifest === undefined ? undefined : await read(LINKED_FILES);
  if (listing !== undefined) {
    const { folder, files } = linkedFiles.parse(JSON.parse(listing));
    return { where: folder, manifest, files };
  }
  const own = ['', MANIFEST_FILE, LINKED_FILES];
  // A key that ends in a slash is a folder of the S3 console.
  const files = found.filter(({ path }) => !own.includes(path) && !path.endsWith('/'));
  return { where: placeOf(context, id), manifest, files };
}

/**
 * Checks before any GPU is started that a model is stored completely, and as it was imported.
 * @throws ModelMissing, ModelChanged
 */
export async function requireStoredModel(context: BucketContext, id: string): Promise<ModelManifest> {
  return requireModel(id, await storedModel(context, id));
}

/** @throws ModelChanged when the bucket holds another model than the run was planned with */
export async function requirePlannedModel(context: BucketContext, planned: ChosenModel): Promise<void> {
  const key = keys.modelManifest(planned.id);
  const manifest = (await exists(context, key)) ? await findText(context, key) : undefined;
  requirePlanned(planned, placeOf(context, planned.id), manifest);
}

/** Writes the manifest, which makes the model complete. */
export async function writeManifest(context: BucketContext, manifest: ModelManifest): Promise<void> {
  await writeJson(context, keys.modelManifest(manifest.model), manifest);
}

function placeOf({ bucket }: BucketContext, id: string): string {
  return `s3://${bucket}/${keys.model(id)}`;
}
