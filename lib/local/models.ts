/** The models that a local run needs, in the local bucket: trained ones of the repository, tiny ones made here. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { modelIds, model as modelRow } from '../core/catalogue.ts';
import { ProxytuneError } from '../core/errors.ts';
import { keys } from '../core/keys.ts';
import { removeOthers } from './bucket.ts';
import { type LocalCloud, PYTHON } from './cloud.ts';

const ROOT = join(import.meta.dirname, '../..');
const TOOL = join(ROOT, 'containers/tools/make_tiny_models.py');

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
  const sources = ids.map((id) => sourceOf(id, root, cloud.dataDir));
  const s3 = new S3Client({
    endpoint: cloud.environment.AWS_ENDPOINT_URL ?? '',
    region: cloud.environment.AWS_REGION ?? '',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    forcePathStyle: true,
  });
  const place = { s3, bucket: cloud.outputs.BucketName ?? '' };
  try {
    const missing: Source[] = [];
    for (const source of sources) {
      if ((await markInBucket(place, source.id)) !== markOf(source)) missing.push(source);
    }
    const unmade = missing.filter(({ folder }) => !existsSync(folder)).map(({ id }) => id);
    if (unmade.length > 0) await make(join(cloud.dataDir, 'models'), unmade, signal);
    for (const source of missing) {
      signal?.throwIfAborted();
      await upload(place, source);
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
    remedy: `bring it back with git checkout -- ${shipped}, or train the models anew with containers/tools/pretrain_miniature.py`,
  });
}

interface Bucket {
  readonly s3: S3Client;
  readonly bucket: string;
}

/** The last object of an upload; its absence says that the upload did not end. */
const complete = (id: string): string => `${keys.model(id)}COMPLETE`;

async function markInBucket({ s3, bucket }: Bucket, id: string): Promise<string | undefined> {
  try {
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: complete(id) }));
    return await object.Body?.transformToString();
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined;
    throw error;
  }
}

/** What the last object holds. Weights of the repository may change with it, and are then uploaded anew. */
function markOf({ id, folder, shipped }: Source): string {
  if (!shipped) return `${id}\n`;
  const hash = createHash('sha256');
  for (const file of filesIn(folder)) {
    const content = readFileSync(join(folder, file));
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return `${id} ${hash.digest('hex')}\n`;
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

async function upload({ s3, bucket }: Bucket, source: Source): Promise<void> {
  const { id, folder } = source;
  const prefix = keys.model(id);
  // A job that reads the folder meanwhile must not take a mixture for a whole model.
  await removeOthers({ s3, bucket }, prefix, new Set());
  for (const file of filesIn(folder)) {
    const path = join(folder, file);
    const ContentLength = (await stat(path)).size;
    await s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: prefix + file.split(sep).join('/'),
        Body: createReadStream(path),
        ContentLength,
      }),
    );
  }
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: complete(id), Body: markOf(source) }));
}

/** Relative paths of the files of a folder, in one order everywhere. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
