/** Uploads the models of a local run to the local bucket: trained ones of the repository, and generated tiny ones. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { localSettings, makeS3 } from '../aws/clients.ts';
import { describeFolder } from '../aws/model-folder/files.ts';
import { uploadModel } from '../aws/model-folder/upload.ts';
import { requireStoredModel } from '../aws/models.ts';
import type { BucketContext } from '../aws/s3.ts';
import { modelIds, model as modelRow } from '../core/catalogue/models.ts';
import { ProxytuneError } from '../core/errors.ts';
import type { ModelFile } from '../core/models/manifest.ts';
import type { LocalCloud } from './cloud.ts';
import { temporaryFolder } from './data-folder.ts';
import { PYTHON, ROOT } from './paths.ts';

const TOOL = join(ROOT, 'containers/dev/tools/make_tiny_models.py');

export interface ModelsOptions {
  /** Catalogue ids. @default - every model that runs here */
  readonly ids?: readonly string[];
  /** Aborts between two models. @default - it cannot be aborted */
  readonly signal?: AbortSignal;
  /** The folder with the trained models. @default - this repository */
  readonly root?: string;
}

/** A model on this disk. */
interface Source {
  readonly id: string;
  readonly folder: string;
  /** True if it is part of the repository; otherwise it is generated from a seed, always the same. */
  readonly shipped: boolean;
}

/** Catalogue ids of the models that run without a GPU and without downloads. */
export function localModels(root = ROOT): string[] {
  return modelIds().filter((id) => {
    const { standInFor, shipped } = modelRow(id);
    return standInFor !== null || (shipped !== null && existsSync(join(root, shipped)));
  });
}

/** Returns true if the user has to import the model; planning a run fails otherwise. */
function needsImport(id: string): boolean {
  const { standInFor, shipped } = modelRow(id);
  return standInFor === null && shipped === null;
}

/**
 * Uploads the missing models one after the other; tiny ones are generated first.
 *
 * @throws ModelMissing if the weights of a trained model are not in the repository
 */
export async function ensureModels(
  cloud: Pick<LocalCloud, 'environment' | 'outputs' | 'dataDir'>,
  options: ModelsOptions = {},
): Promise<void> {
  const { root = ROOT, ids = localModels(root), signal } = options;
  const own = ids.filter((id) => !needsImport(id));
  const sources = own.map((id) => sourceOf(id, root, cloud.dataDir));
  const { environment, outputs } = cloud;
  const s3 = makeS3(localSettings(environment, environment.AWS_ENDPOINT_URL));
  const context = { s3, bucket: outputs.BucketName ?? '' };
  try {
    const missing: Source[] = [];
    for (const source of sources) if (!(await isUpToDate(context, source))) missing.push(source);
    const notGenerated = missing.filter(({ folder }) => !existsSync(folder)).map(({ id }) => id);
    if (notGenerated.length > 0) await generate(join(cloud.dataDir, 'models'), notGenerated, signal);
    for (const { id, folder } of missing) {
      signal?.throwIfAborted();
      const row = modelRow(id);
      const origin = { source: row.source, importedAt: new Date() };
      await uploadModel(context, row, folder, await describeFolder(folder, { signal }), origin, { signal });
    }
  } finally {
    s3.destroy();
  }
}

function sourceOf(id: string, root: string, dataDir: string): Source {
  const { title, shipped } = modelRow(id);
  if (shipped === null) return { id, folder: join(dataDir, 'models', id), shipped: false };
  const folder = join(root, shipped);
  if (existsSync(folder)) return { id, folder, shipped: true };
  throw new ProxytuneError('ModelMissing', {
    what: `The weights of a model of this repository are missing: ${title}`,
    given: `no folder ${folder}`,
    allowed: `a complete clone of the repository, with ${shipped}`,
    remedy: `restore it with git checkout -- ${shipped}, or train the models again with containers/dev/tools/pretrain_miniature.py`,
  });
}

/** Returns true if the bucket has the complete model, and for a model of the repository the same files. */
async function isUpToDate(context: BucketContext, { id, folder, shipped }: Source): Promise<boolean> {
  try {
    const { files } = await requireStoredModel(context, id);
    if (!shipped) return true;
    const contents = (of: readonly ModelFile[]) =>
      of.map(({ path, sha256 }) => `${path} ${sha256}`).join('\n');
    return contents(files) === contents(await describeFolder(folder));
  } catch (error) {
    if (error instanceof ProxytuneError) return false;
    throw error;
  }
}

async function generate(folder: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
  try {
    const command = [TOOL, '--out', folder, '--only', ...ids];
    const env = { ...process.env, TMPDIR: temporaryFolder(dirname(folder)) };
    await promisify(execFile)(PYTHON, command, { env, ...(signal && { signal }) });
  } catch (cause) {
    const printed = String((cause as { stderr?: string }).stderr ?? cause).trim();
    if (/No space left on device/.test(printed)) throw outOfDisk(folder, cause);
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The tiny models could not be generated',
      given: printed.split('\n').slice(-5).join('\n'),
      remedy: 'remove .venv and run the command again, which sets up Python again',
      cause,
    });
  }
}

function outOfDisk(folder: string, cause: unknown): ProxytuneError {
  return new ProxytuneError('OutOfDisk', {
    what: 'The disk is full: the tiny models did not fit',
    given: folder,
    allowed: 'about 400 MB for a run',
    remedy: 'free some space, or choose a folder on another disk with --data, then run the command again',
    cause,
  });
}
