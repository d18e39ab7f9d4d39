/** The models that a local run needs, in the local bucket: trained ones of the repository, tiny ones made here. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { S3Client } from '@aws-sdk/client-s3';
import { type Bucket, heldInBucket, uploadModel } from '../aws/model-bucket.ts';
import { describeFolder } from '../aws/model-folder.ts';
import { modelIds, model as modelRow } from '../core/catalogue/models.ts';
import { ProxytuneError } from '../core/errors.ts';
import { type ModelFile, requireModel } from '../core/models/manifest.ts';
import { type LocalCloud, PYTHON } from './cloud.ts';

const ROOT = join(import.meta.dirname, '../..');
const TOOL = join(ROOT, 'containers/dev/tools/make_tiny_models.py');

export interface ModelsOptions {
  /** Catalogue ids. @default - every model that runs here */
  readonly ids?: readonly string[];
  /** Ends the work between two models. @default - it goes on to its end */
  readonly signal?: AbortSignal;
  /** Where the trained models lie. @default - this repository */
  readonly root?: string;
}

/** A model on this disk. */
interface Source {
  readonly id: string;
  readonly folder: string;
  /** Whether it came with the repository; else it is made, from its seed, and always the same. */
  readonly shipped: boolean;
}

/** Catalogue ids of the models that run without a GPU and without downloads. */
export function localModels(root = ROOT): string[] {
  return modelIds().filter((id) => {
    const { standInFor, shipped } = modelRow(id);
    return standInFor !== null || (shipped !== null && existsSync(join(root, shipped)));
  });
}

/** Whether somebody has to bring the model in; the plan of a run says so when nobody has. */
function broughtIn(id: string): boolean {
  const { standInFor, shipped } = modelRow(id);
  return standInFor === null && shipped === null;
}

/**
 * Puts the models that are missing into the bucket, each whole before the next begins; tiny ones are made first.
 *
 * @throws ModelMissing when the weights of a trained model are not in the repository
 */
export async function ensureModels(
  cloud: Pick<LocalCloud, 'environment' | 'outputs' | 'dataDir'>,
  options: ModelsOptions = {},
): Promise<void> {
  const { root = ROOT, ids = localModels(root), signal } = options;
  const own = ids.filter((id) => !broughtIn(id));
  const sources = own.map((id) => sourceOf(id, root, cloud.dataDir));
  const s3 = new S3Client({
    endpoint: cloud.environment.AWS_ENDPOINT_URL ?? '',
    region: cloud.environment.AWS_REGION ?? '',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    forcePathStyle: true,
  });
  const place = { s3, bucket: cloud.outputs.BucketName ?? '' };
  try {
    const missing: Source[] = [];
    for (const source of sources) if (!(await isThere(place, source))) missing.push(source);
    const unmade = missing.filter(({ folder }) => !existsSync(folder)).map(({ id }) => id);
    if (unmade.length > 0) await make(join(cloud.dataDir, 'models'), unmade, signal);
    for (const { id, folder } of missing) {
      signal?.throwIfAborted();
      const row = modelRow(id);
      const origin = { source: row.source, importedAt: new Date() };
      await uploadModel(place, row, folder, await describeFolder(folder, { signal }), origin, { signal });
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
    what: `The weights of a model that comes with Proxytune are not there: ${title}`,
    given: `no folder ${folder}`,
    allowed: `the repository as it was cloned, with ${shipped}`,
    remedy: `bring it back with git checkout -- ${shipped}, or train the models anew with containers/dev/tools/pretrain_miniature.py`,
  });
}

/** Whether the bucket holds the model as it was brought in; of the repository's, whether it is still the same. */
async function isThere(place: Bucket, { id, folder, shipped }: Source): Promise<boolean> {
  try {
    const { files } = requireModel(id, await heldInBucket(place, id));
    if (!shipped) return true;
    const contents = (of: readonly ModelFile[]) =>
      of.map(({ path, sha256 }) => `${path} ${sha256}`).join('\n');
    return contents(files) === contents(await describeFolder(folder));
  } catch (error) {
    if (error instanceof ProxytuneError) return false;
    throw error;
  }
}

async function make(folder: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
  try {
    const command = [TOOL, '--out', folder, '--only', ...ids];
    await promisify(execFile)(PYTHON, command, { ...(signal && { signal }) });
  } catch (cause) {
    const printed = String((cause as { stderr?: string }).stderr ?? cause).trim();
    if (/No space left on device/.test(printed)) throw outOfDisk(folder, cause);
    throw new ProxytuneError('LocalCloudFailed', {
      what: 'The tiny models could not be made',
      given: printed.split('\n').slice(-5).join('\n'),
      remedy: 'remove .venv and call this again, which sets Python up anew',
      cause,
    });
  }
}

function outOfDisk(folder: string, cause: unknown): ProxytuneError {
  return new ProxytuneError('OutOfDisk', {
    what: 'The disk is full: the tiny models did not fit',
    given: folder,
    allowed: 'about 400 MB for a run',
    remedy: 'make room, or choose a folder on another disk with --data, then call this again',
    cause,
  });
}
