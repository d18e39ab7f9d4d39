/**
 * A base model that stays in a folder of this machine: the bucket contains only its manifest. Where AWS would have
 * copied files to the instance, they are linked, so that tens of gigabytes are neither copied nor kept twice.
 */
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findFiles } from '../../../aws/model-folder/files.ts';
import { differences, linkedManifest, MANIFEST_FILE } from '../../../core/models/manifest.ts';
import { JobFailure } from '../errors.ts';
import { fileBelow, inside, parseLocation } from './location.ts';
import type { Objects } from './objects.ts';

/** If a channel contains the manifest of a linked model, adds links to the model's files. */
export async function linkFiles(channel: string): Promise<void> {
  const text = await readFile(join(channel, MANIFEST_FILE), 'utf8').catch(() => undefined);
  const folder = await unchangedFolder(text);
  if (folder === undefined) return;
  for (const { path } of folder.files) {
    const file = fileBelow(channel, path);
    await mkdir(dirname(file), { recursive: true });
    await symlink(join(folder.linked, path), file);
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
  return (await unchangedFolder((await objects.read(location)).toString()))?.linked;
}

/**
 * The folder of a linked model, whose files may have changed since the run was planned.
 * @returns undefined when the manifest is not of a linked model
 * @throws JobFailure ModelChanged
 */
async function unchangedFolder(text: string | undefined) {
  const manifest = linkedManifest(text);
  if (manifest === undefined) return undefined;
  const faults = differences(manifest, await findFiles(manifest.linked, manifest.files));
  if (faults.length === 0) return manifest;
  throw new JobFailure(
    `ModelChanged: The files of the linked model ${manifest.model} have changed. ` +
      `Given: ${manifest.linked}: ${faults.slice(0, 3).join('; ')}. ` +
      `What to do: import it again with npx proxytune import-model ${manifest.model}, then start the run again.`,
  );
}
