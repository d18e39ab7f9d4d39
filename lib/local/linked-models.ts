/**
 * Linked models: their files stay in folders of this machine, and the bucket holds only their manifests. No bucket can
 * list such files, so the local cloud stores a listing of each folder next to the manifest, where the check of a plan
 * reads it. It is refreshed before every plan: what changed on the disk since the import is found there, before any job.
 */
import { findFiles } from '../aws/model-folder/files.ts';
import { type BucketContext, findText, listKeys, writeJson } from '../aws/s3.ts';
import { modelIds } from '../core/catalogue/models.ts';
import { keys } from '../core/keys.ts';
import { linkedManifest } from '../core/models/manifest.ts';
import type { InvokeLambda } from './states/lambda.ts';

/** Stores the listing of every linked model as its folder is now. */
export async function storeLinkedListings(context: BucketContext): Promise<void> {
  const stored = new Set(await listKeys(context, keys.models));
  for (const id of modelIds()) {
    if (!stored.has(keys.modelManifest(id))) continue;
    const manifest = linkedManifest(await findText(context, keys.modelManifest(id)));
    if (manifest === undefined) continue;
    const files = await findFiles(manifest.linked, manifest.files);
    await writeJson(context, keys.linkedFiles(id), { folder: manifest.linked, files });
  }
}

/** The lambda that plans a run, by its name in the stack. */
const PLANNER = /PlanRun/;

/** Refreshes the listings whenever a run is planned. @param context - undefined until the stack is deployed */
export function withLinkedListings(
  invoke: InvokeLambda,
  context: () => BucketContext | undefined,
): InvokeLambda {
  return async (request) => {
    const bucket = context();
    if (bucket !== undefined && PLANNER.test(request.functionName)) await storeLinkedListings(bucket);
    return invoke(request);
  };
}
