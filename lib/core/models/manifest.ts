/**
 * The manifest of a base model: its source, its licence, and the size and SHA-256 of every imported file. It is written
 * after the last file, so its presence says that the model is complete; a plan compares it with the stored files, which
 * costs one listing and no download.
 */
import { z } from 'zod';
import { type Model, model } from '../catalogue/models.ts';
import { licence } from '../contract/licence.ts';
import { names } from '../contract/names.ts';
import { ProxytuneError } from '../errors.ts';
import { keys } from '../keys.ts';
import { sha256Hex } from '../names.ts';

/** Last part of the manifest's key, and its name in a folder. */
export const MANIFEST_FILE = names.files.manifest;

const modelFile = z.strictObject({
  path: z.string().describe('Below the model, with forward slashes'),
  size: z.int().min(0).describe('Bytes'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  etag: z.string().nullable().describe('ETag of this content in the bucket; null for a linked file'),
  modified: z.int().nullable().describe('Milliseconds since 1970 of a linked file; null in a bucket'),
});
export type ModelFile = z.infer<typeof modelFile>;

export const modelManifest = z.strictObject({
  version: z.literal(1),
  model: z.string().describe('Catalogue id'),
  source: z.string().describe('Where the files were taken from'),
  revision: z.string().nullable().describe('Commit of the hub; null for a folder'),
  licence,
  gated: z.boolean().describe('Whether its terms had to be accepted before the download'),
  importedAt: z.string(),
  bytes: z.int().min(0).describe('Of all files together'),
  linked: z.string().nullable().describe('Folder of this machine that the files stay in; null in a bucket'),
  files: z.array(modelFile).min(1),
});
export type ModelManifest = z.infer<typeof modelManifest>;

/** The listing that the local cloud stores next to the manifest of a linked model. */
export const LINKED_FILES = 'linked-files.json';

export const linkedFiles = z.strictObject({
  folder: z.string().describe('Folder of this machine that the files stay in'),
  files: z.array(z.strictObject({ path: z.string(), size: z.int().min(0), modified: z.int() })),
});

/** A manifest's text as the manifest of a linked model. @returns undefined when it is not one */
export function linkedManifest(text: string | undefined): (ModelManifest & { linked: string }) | undefined {
  const { data } = modelManifest.safeParse(parsed(text ?? ''));
  return data === undefined || data.linked === null ? undefined : { ...data, linked: data.linked };
}

/** A file as a listing describes it. */
export interface FoundFile {
  readonly path: string;
  readonly size: number;
  /** @default - not compared */
  readonly etag?: string | undefined;
  /** @default - not compared */
  readonly modified?: number | undefined;
}

export interface Origin {
  readonly source: string;
  /** @default - null: no hub's */
  readonly revision?: string | null;
  readonly importedAt: Date;
  /** @default - null: the files are in the bucket */
  readonly linked?: string | null;
}

/** The manifest of a complete set of files. */
export function makeManifest(row: Model, origin: Origin, files: readonly ModelFile[]): ModelManifest {
  const { source, revision = null, importedAt, linked = null } = origin;
  return modelManifest.parse({
    version: 1,
    model: row.id,
    source,
    revision,
    licence: row.licence,
    gated: row.hub?.gated ?? false,
    importedAt: importedAt.toISOString(),
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    linked,
    files: [...files].sort((a, b) => (a.path < b.path ? -1 : 1)),
  });
}

/** Of SHA-256: 64 bits. Two runs share class images, and a run may continue, only when the digests are equal. */
const DIGEST_DIGITS = 16;

/**
 * The digest of a model's files: the same wherever and whenever the same files were imported, another one for another
 * revision of the same model.
 */
export function digestOf({ files }: { readonly files: readonly ModelFile[] }): string {
  const lines = files.map(({ path, sha256 }) => `${sha256} ${path}\n`);
  return sha256Hex(lines.sort().join(''), DIGEST_DIGITS);
}

/** Everything stored of a model in one place. */
export interface Inventory {
  /** The place in words, such as an S3 address. */
  readonly where: string;
  /** The manifest's text. @default - there is none */
  readonly manifest?: string | undefined;
  /** Every other file. */
  readonly files: readonly FoundFile[];
}

/**
 * The manifest of a stored model, without a check of its files.
 * @throws ModelMissing when there is none, ModelChanged when it cannot be read
 */
export function requireManifest(id: string, { where, manifest, files }: Inventory): ModelManifest {
  if (manifest === undefined) throw missing(id, where, files.length);
  const read = modelManifest.safeParse(parsed(manifest));
  if (!read.success || read.data.model !== id) {
    const why = read.success ? `it is for ${read.data.model}` : 'it is of another version, or corrupt';
    throw changed(id, where, [`${MANIFEST_FILE}: ${why}`]);
  }
  return read.data;
}

/**
 * The manifest of a model that is complete and as it was imported, judged by names, sizes, and ETags or times.
 * @throws ModelMissing, ModelChanged
 */
export function requireModel(id: string, inventory: Inventory): ModelManifest {
  const manifest = requireManifest(id, inventory);
  const faults = differences(manifest, inventory.files);
  if (faults.length > 0) throw changed(id, inventory.where, faults);
  return manifest;
}

/**
 * Checks that the model of a job is the one that its run was planned with: a run that generated with another revision
 * than it was trained on would succeed, and mean nothing.
 * @param manifest - its text. @default - there is none
 * @throws ModelChanged
 */
export function requirePlanned(
  { id, digest }: { readonly id: string; readonly digest: string | null },
  where: string,
  manifest?: string,
): void {
  if (digest === null) return;
  const stored = manifest && digestOf(requireManifest(id, { where, manifest, files: [] }));
  if (stored === digest) return;
  throw new ProxytuneError('ModelChanged', {
    what: `The model ${id} has changed since the run was planned`,
    given: stored
      ? `${where}, whose files have the digest ${stored} instead of ${digest}`
      : `${where} without ${MANIFEST_FILE}: it is being imported again, or was deleted`,
    allowed: 'the same files for every job of a run',
    remedy: 'start a new run, or import the revision that this one was planned with and start it again',
  });
}

/** Descriptions of every file that is missing, differs, or is not in the manifest. */
export function differences({ files }: ModelManifest, found: readonly FoundFile[]): string[] {
  const stored = new Map(found.map((file) => [file.path, file]));
  const known = new Set(files.map(({ path }) => path));
  return [
    ...files.flatMap((file) => difference(file, stored.get(file.path))),
    ...found.filter(({ path }) => !known.has(path)).map(({ path }) => `${path} was not imported`),
  ];
}

function difference(file: ModelFile, found: FoundFile | undefined): string[] {
  if (found === undefined) return [`${file.path} is missing`];
  if (found.size !== file.size) return [`${file.path} has ${found.size} bytes instead of ${file.size}`];
  const other = (one: unknown, two: unknown) => one !== undefined && two !== null && one !== two;
  if (other(found.etag, file.etag)) return [`${file.path} has changed since its import`];
  if (other(found.modified, file.modified)) return [`${file.path} was written to since its import`];
  return [];
}

function missing(id: string, where: string, files: number): ProxytuneError {
  return new ProxytuneError('ModelMissing', {
    what: `The model ${id} is ${files === 0 ? 'missing' : 'incomplete'}`,
    given:
      files === 0
        ? `${where} is empty`
        : `${where} has ${files} files but no ${MANIFEST_FILE}, which is written last`,
    allowed: 'a completely imported model',
    remedy: remedyFor(id),
  });
}

/** @param faults - descriptions of the differences; the message lists a few */
export function changed(id: string, where: string, faults: readonly string[]): ProxytuneError {
  const listed = faults.slice(0, 3).join('; ');
  return new ProxytuneError('ModelChanged', {
    what: `The model ${id} is not the one that was imported`,
    given: `${where}: ${listed}${faults.length > 3 ? `; and ${faults.length - 3} more` : ''}`,
    allowed: `the files of ${keys.modelManifest(id)}, each with its size and content`,
    remedy: remedyFor(id),
  });
}

/** The command that imports the model, or fixes it. */
function remedyFor(id: string): string {
  const { standInFor, shipped, hub } = model(id);
  if (standInFor !== null || shipped !== null) {
    return 'start the local cloud again (npx proxytune local or run --local), which imports it automatically';
  }
  const from = hub === null ? ` --from FOLDER, the folder that docs/models.md shows how to make` : '';
  return `import it once, with npx proxytune import-model ${id}${from} (in an AWS account with --stack NAME), then start the run again`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
