/** The models that a local run needs, in the local bucket: made once, uploaded once. */
import { execFile } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { atScale, modelIds, model as modelRow } from '../core/catalogue.ts';
import { ProxytuneError } from '../core/errors.ts';
import { keys } from '../core/keys.ts';
import { type LocalCloud, PYTHON } from './cloud.ts';

const TOOLS = join(import.meta.dirname, '../../containers/tools');

/** Catalogue ids of the models that run without a GPU and without downloads. */
export function localModels(): string[] {
  return modelIds().filter((id) => atScale(id, 'tiny').id === id && modelRow(id).standInFor !== null);
}

export interface ModelsOptions {
  /** Catalogue ids. @default - every model that runs here */
  readonly ids?: readonly string[];
  /** Ends the work between two models. @default - it goes on to its end */
  readonly signal?: AbortSignal;
}

/** Makes the models that are missing and puts them into the bucket, each whole before the next begins. */
export async function ensureModels(cloud: LocalCloud, options: ModelsOptions = {}): Promise<void> {
  const { ids = localModels(), signal } = options;
  const bucket = cloud.outputs.BucketName ?? '';
  const s3 = new S3Client({
    endpoint: cloud.environment.AWS_ENDPOINT_URL ?? '',
    region: cloud.environment.AWS_REGION ?? '',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    forcePathStyle: true,
  });
  const missing: string[] = [];
  for (const id of ids) if (!(await isUploaded(s3, bucket, id))) missing.push(id);
  if (missing.length > 0) {
    const folder = join(cloud.dataDir, 'models');
    const unmade = missing.filter((id) => !existsSync(join(folder, id)));
    if (unmade.length > 0) await make(folder, unmade, signal);
    for (const id of missing) {
      signal?.throwIfAborted();
      await upload(s3, bucket, join(folder, id), id);
    }
  }
  s3.destroy();
}

/** The last object of an upload; its absence says that the upload did not end. */
const complete = (id: string): string => `${keys.model(id)}COMPLETE`;

async function isUploaded(s3: S3Client, bucket: string, id: string): Promise<boolean> {
  const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: complete(id), MaxKeys: 1 }));
  return (page.Contents ?? []).length > 0;
}

async function make(folder: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
  try {
    const tool = [join(TOOLS, 'make_tiny_models.py'), '--out', folder, '--only', ...ids];
    await promisify(execFile)(PYTHON, tool, { ...(signal && { signal }) });
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

async function upload(s3: S3Client, bucket: string, folder: string, id: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const key = keys.model(id) + relative(folder, path).split(sep).join('/');
    const ContentLength = (await stat(path)).size;
    await s3.send(
      new PutObjectCommand({ Bucket: bucket, Key: key, Body: createReadStream(path), ContentLength }),
    );
  }
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: complete(id), Body: `${id}\n` }));
}
