/** A model from a folder on this disk: uploaded to an account, linked for the cloud on this machine. */
import { describeFolder, manifestIn, requireFolder } from '../../aws/model-folder/files.ts';
import { layoutOf } from '../../aws/model-folder/layout.ts';
import { uploadModel } from '../../aws/model-folder/upload.ts';
import { storedModel, writeManifest } from '../../aws/models.ts';
import { type BucketContext, deleteOthers } from '../../aws/s3.ts';
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
 * Imports a folder; called again, it imports only what is not stored yet.
 * @throws ModelMissing when the folder or a part is missing, ModelMismatch when a file is corrupt or of another model
 */
export async function importFolder(
  context: BucketContext,
  row: Model,
  named: string,
  { link, revision = null, source, output, signal }: FolderImport,
): Promise<ModelManifest> {
  const { folder, files, leftOut } = await requireModelFolder(row, named);
  for (const path of leftOut) output.say(`left out, as no job reads it: ${path}`);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  output.say(`reading ${files.length} files, ${fileSize(total)}, for their SHA-256`);
  const known = await knownFiles(context, row.id, folder);
  const described = await describeFolder(folder, { known, signal }, files);
  const origin = { source: source ?? folder, revision, importedAt: new Date(), linked: link ? folder : null };
  if (!link) {
    const report = (file: { readonly path: string; readonly size: number }, stored: boolean) =>
      output.say(`${stored ? 'stored already' : 'uploading'}: ${file.path}, ${fileSize(file.size)}`);
    return uploadModel(context, row, folder, described, origin, { report, signal });
  }
  await deleteOthers(context, keys.model(row.id), new Set());
  const manifest = makeManifest(row, origin, described);
  await writeManifest(context, manifest);
  return manifest;
}

/**
 * Finds the files of the model in a folder, without reading them whole.
 * @throws ModelMissing when the folder or a part is missing, ModelMismatch when it is of another model
 */
export async function requireModelFolder(row: Model, named: string) {
  const folder = await requireFolder(named);
  requireOwn(row, folder);
  return { folder, ...(await layoutOf(row, folder)) };
}

/**
 * Refuses a folder into which another model was downloaded: models of one family may have the same layout.
 * @throws ModelMismatch
 */
function requireOwn(row: Model, folder: string): void {
  const own = manifestIn(folder);
  if (own === undefined || own.model === row.id) return;
  throw new ProxytuneError('ModelMismatch', {
    what: `The folder is not ${row.title}`,
    given: `${folder}, whose ${MANIFEST_FILE} says that it is ${own.model}`,
    allowed: `a folder of ${row.id}`,
    remedy: `name that folder, or import this one as ${own.model}`,
  });
}

/** Files that an earlier import, or the download, has read: one of the same size and time is not read again. */
async function knownFiles(context: BucketContext, id: string, folder: string) {
  const own = manifestIn(folder);
  if (own?.linked === folder) return own.files;
  try {
    const { linked, files } = requireManifest(id, await storedModel(context, id));
    return linked === folder ? files : [];
  } catch (error) {
    if (error instanceof ProxytuneError) return [];
    throw error;
  }
}
