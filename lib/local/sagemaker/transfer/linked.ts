/**
 * A base model that stays in a folder of this machine: the bucket contains only its manifest. Where AWS would have
 * copied files to the instance, they are linked, so that tens of gigabytes are neither copied nor kept twice.
 */
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MANIFEST_FILE, type ModelManifest, modelManifest } from '../../../core/models/manifest.ts';
import { fileBelow, inside, parseLocation } from './location.ts';
import type { Objects } from './objects.ts';

/** If a channel contains the manifest of a linked model, adds links to the model's files. */
export async function linkFiles(channel: string): Promise<void> {
  const text = await readFile(join(channel, MANIFEST_FILE), 'utf8').catch(() => undefined);
  const manifest = linkedManifest(text);
  for (const { path } of manifest?.files ?? []) {
    const file = fileBelow(channel, path);
    await mkdir(dirname(file), { recursive: true });
    await symlink(join(manifest?.linked ?? '', path), file);
  }
}

/** Replaces the S3 URIs of linked models in environment variables by those of their folders. */
export async function withLinkedFolders(
  objects: Objects,
  environment: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const entries = Object.entries(environment).map(async ([name, value]) => {
    const folder = /^s3:\/\/.+\/$/.test(value) ? await linkedFolder(objects, value) : undefined;
    return [name, folder === undefined ? value : pathToFileURL(folder).href] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function linkedFolder(objects: Objects, uri: string): Promise<string | undefined> {
  const location = inside(parseLocation(uri), MANIFEST_FILE);
  if (!(await objects.exists(location))) return undefined;
  return linkedManifest((await objects.read(location)).toString())?.linked ?? undefined;
}

function linkedManifest(text: string | undefined): ModelManifest | undefined {
  if (text === undefined) return undefined;
  try {
    const read = modelManifest.safeParse(JSON.parse(text));
    return read.success && read.data.linked !== null ? read.data : undefined;
  } catch {
    return undefined;
  }
}
