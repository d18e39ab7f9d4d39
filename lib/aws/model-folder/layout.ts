/** Checks that a folder is a model that the jobs can read, without loading it and before anything is uploaded. */
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model } from '../../core/catalogue/models.ts';
import { type ErrorName, ProxytuneError } from '../../core/errors.ts';
import { type FolderFile, filesOf } from './files.ts';
import { mismatches, modelOfFolder } from './identifying-fields.ts';

/** Files that the jobs read: weights, settings, vocabularies. Anything else in a folder is left out, above all pickles. */
const READ = /\.(safetensors|json|txt|model|jinja)$/;
/** The same weights in another precision or averaged, which the jobs never read. */
const VARIANT = /\.(fp16|fp32|bf16|non_ema)[.-]/;
/** The safetensors library refuses longer headers. */
const LONGEST_HEADER = 100_000_000;

export interface Layout {
  readonly files: readonly FolderFile[];
  /** Paths that the jobs do not read. */
  readonly leftOut: readonly string[];
}

/**
 * The files of a folder that make up the model.
 * @throws ModelMissing when a part is missing, ModelMismatch when one is truncated or of another model
 */
export async function layoutOf(row: Model, folder: string): Promise<Layout> {
  const all = existsSync(folder) ? await filesOf(folder) : [];
  const used = ({ path }: FolderFile) => READ.test(path) && !VARIANT.test(path);
  const files = all.filter(used);
  const unreadable = files.find((file) => file.unreadable);
  if (unreadable !== undefined)
    throw absent(row, folder, `no file at ${unreadable.path}, only a link to nothing, or a pipe`);
  const paths = new Set(files.map(({ path }) => path));
  const weights = files.filter(({ path }) => path.endsWith('.safetensors'));
  if (row.role === 'teacher') requireParts(row, folder, paths);
  else requireConfig(row, folder, paths);
  requireIdentity(row, folder, paths);
  if (weights.length === 0) throw absent(row, folder, 'no weights (*.safetensors)');
  for (const path of paths)
    if (path.endsWith('.safetensors.index.json')) requireShards(row, folder, path, paths);
  for (const file of weights) await requireComplete(row, folder, file);
  return { files, leftOut: all.filter((file) => !used(file)).map(({ path }) => path) };
}

/** Checks a diffusers pipeline for every part that its index names. */
function requireParts(row: Model, folder: string, paths: ReadonlySet<string>): void {
  const index = readJson(row, folder, 'model_index.json', paths);
  const pipeline = row.hub?.pipeline;
  if (pipeline !== undefined && index._class_name !== pipeline)
    throw unfit(row, folder, `model_index.json is for a ${index._class_name}, not a ${pipeline}`);
  for (const [part, value] of Object.entries(index)) {
    const [library] = Array.isArray(value) ? value : [null];
    if (part.startsWith('_') || library === null) continue;
    if (![...paths].some((path) => path.startsWith(`${part}/`))) throw absent(row, folder, `no ${part}/`);
    const network = paths.has(`${part}/config.json`);
    if (network && !hasWeights(`${part}/`, paths)) throw absent(row, folder, `no weights in ${part}/`);
  }
}

/** Checks the family that a folder names, and that each network in a folder of its own has weights. */
function requireConfig(row: Model, folder: string, paths: ReadonlySet<string>): void {
  const { family } = readJson(row, folder, 'config.json', paths);
  if (family !== undefined && family !== row.family)
    throw unfit(row, folder, `config.json names the family ${family}, not ${row.family}`);
  for (const path of paths) {
    const part = path.endsWith('/config.json') ? path.slice(0, -'config.json'.length) : undefined;
    if (part !== undefined && !hasWeights(part, paths)) throw absent(row, folder, `no weights in ${part}`);
  }
}

const hasWeights = (part: string, paths: ReadonlySet<string>): boolean =>
  [...paths].some((path) => path.startsWith(part) && path.endsWith('.safetensors'));

/** Checks the identifying fields: models of one family have the same layout and differ in their settings. */
function requireIdentity(row: Model, folder: string, paths: ReadonlySet<string>): void {
  const differing = mismatches(row, (path) => readJson(row, folder, path, paths));
  if (differing.length === 0) return;
  const other = modelOfFolder(row, (path) => settingsIn(folder, path));
  throw new ProxytuneError('ModelMismatch', {
    what: `The folder is not ${row.title}${other === undefined ? '' : `, but ${other.title}`}`,
    given: `${folder}: ${differing.join('; ')}`,
    allowed: `a folder of ${row.id}, as published at ${row.source}`,
    remedy: `name that folder${other === undefined ? '' : `, or import this one as ${other.id}`}`,
  });
}

function settingsIn(folder: string, path: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, path), 'utf8'));
  } catch {
    return undefined;
  }
}

function requireShards(row: Model, folder: string, index: string, paths: ReadonlySet<string>): void {
  const { weight_map: map = {} } = readJson(row, folder, index, paths) as { weight_map?: object };
  const part = index.slice(0, index.lastIndexOf('/') + 1);
  const missing = [...new Set<string>(Object.values(map))].filter((shard) => !paths.has(part + shard));
  if (missing[0] !== undefined) throw absent(row, folder, `no ${part}${missing[0]}, which ${index} names`);
}

/** Checks that header and size of a safetensors file agree: they do unless it is truncated. */
async function requireComplete(row: Model, folder: string, { path, size }: FolderFile): Promise<void> {
  const file = await open(join(folder, path));
  try {
    const length = Number((await bytes(file, 0, 8)).readBigUInt64LE());
    if (!(length > 0 && length <= Math.min(LONGEST_HEADER, size))) throw new Error('no header');
    const header = JSON.parse((await bytes(file, 8, length)).toString()) as Record<string, Tensor>;
    const ends = Object.entries(header).map(([name, { data_offsets: at = [0, 0] }]) =>
      name === '__metadata__' ? 0 : at[1],
    );
    const expected = 8 + length + Math.max(0, ...ends);
    if (expected !== size) throw new Error(`it has ${size} bytes, but its header describes ${expected}`);
  } catch (cause) {
    throw unfit(
      row,
      folder,
      `${path} is truncated or not a safetensors file: ${(cause as Error).message}`,
      cause,
    );
  } finally {
    await file.close();
  }
}

interface Tensor {
  readonly data_offsets?: readonly [number, number];
}

async function bytes(file: Awaited<ReturnType<typeof open>>, from: number, length: number): Promise<Buffer> {
  const content = Buffer.alloc(length);
  const { bytesRead } = await file.read(content, 0, length, from);
  if (bytesRead < length) throw new Error(`it ends after ${from + bytesRead} bytes`);
  return content;
}

function readJson(
  row: Model,
  folder: string,
  path: string,
  paths: ReadonlySet<string>,
): Record<string, unknown> {
  if (!paths.has(path)) throw absent(row, folder, `no ${path}`);
  try {
    return JSON.parse(readFileSync(join(folder, path), 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw unfit(row, folder, `${path} is not JSON`, cause);
  }
}

const absent = (row: Model, folder: string, what: string) =>
  fault('ModelMissing', row, folder, `has ${what}`);
const unfit = (row: Model, folder: string, what: string, cause?: unknown) =>
  fault('ModelMismatch', row, folder, `does not match: ${what}`, cause);

function fault(name: ErrorName, row: Model, folder: string, what: string, cause?: unknown): ProxytuneError {
  return new ProxytuneError(name, {
    what: `The folder for ${row.title} ${what}`,
    given: folder,
    allowed: `the layout that docs/models.md shows for ${row.id}`,
    remedy: 'get the complete folder again; a download may have ended early',
    cause,
  });
}
