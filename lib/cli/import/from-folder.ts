/** A model from a folder on this disk: uploaded to an account, linked for the cloud on this machine. */

import { removeOthers } from '../../aws/bucket.ts';
import type { Place } from '../../aws/context.ts';
import { heldInBucket, uploadModel, writeManifest } from '../../aws/model-bucket.ts';
import { describeFolder, manifestIn, requireFolder } from '../../aws/model-folder.ts';
import { layoutOf } from '../../aws/model-layout.ts';
import type { Model } from '../../core/catalogue/models.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { keys } from '../../core/keys.ts';
import {
  MANIFEST_FILE,
  type ModelManifest,
  makeManifest,
  requireManifest,
} from '../../core/models/manifest.ts';
import { fileSize, type Output } from '../output.ts';

export interface FolderImport {
  /** The files stay where they are, and only a manifest is written. */
  readonly link: boolean;
  /** Commit of the hub that the folder was taken from. @default - null: not known */
  readonly revision?: string | null;
  /** @default - the folder */
  readonly source?: string;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Brings a folder in; called again, it brings only what is not there yet.
 * @throws ModelMissing when the folder or a part is not there, ModelMismatch when a file is damaged or of another model
 */
export async function importFolder(
  place: Place,
  row: Model,
  named: string,
  { link, revision = null, source, output, signal }: FolderImport,
): Promise<ModelManifest> {
  const folder = await requireFolder(named);
  requireOwn(row, folder);
  const { files, left } = await layoutOf(row, folder);
  for (const path of left) output.say(`left out, as no job reads it: ${path}`);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  output.say(`reading ${files.length} files, ${fileSize(total)}, for their SHA-256`);
  const known = await knownFiles(place, row.id, folder);
  const described = await describeFolder(folder, { known, signal }, files);
  const origin = { source: source ?? folder, revision, importedAt: new Date(), linked: link ? folder : null };
  if (!link) {
    const tell = (file: { readonly path: string; readonly size: number }, there: boolean) =>
      output.say(`${there ? 'there already' : 'uploading'}: ${file.path}, ${fileSize(file.size)}`);
    return uploadModel(place, row, folder, described, origin, { tell, signal });
  }
  await removeOthers(place, keys.model(row.id), new Set());
  const manifest = makeManifest(row, origin, described);
  await writeManifest(place, manifest);
  return manifest;
}

/**
 * A folder that the hub's files of another model were brought into: models of one family may have the same layout.
 * @throws ModelMismatch
 */
function requireOwn(row: Model, folder: string): void {
  const own = manifestIn(folder);
  if (own === undefined || own.model === row.id) return;
  throw new ProxytuneError('ModelMismatch', {
    what: `The folder is not of ${row.title}`,
    given: `${folder}, whose ${MANIFEST_FILE} says that it is ${own.model}`,
    allowed: `a folder of ${row.id}`,
    remedy: `name that folder, or bring this one as ${own.model}`,
  });
}

/** What an earlier import, or the download, has read: a file of the same size and time is not read again. */
async function knownFiles(place: Place, id: string, folder: string) {
  const own = manifestIn(folder);
  if (own?.linked === folder) return own.files;
  try {
    const { linked, files } = requireManifest(id, await heldInBucket(place, id));
    return linked === folder ? files : [];
  } catch (error) {
    if (error instanceof ProxytuneError) return [];
    throw error;
  }
}
