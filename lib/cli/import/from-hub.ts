/** A model from the hub for the cloud on this machine: into the data folder, and linked from there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { manifestIn } from '../../aws/model-folder/files.ts';
import type { BucketContext } from '../../aws/s3.ts';
import type { Model } from '../../core/catalogue/models.ts';
import { parseFailure } from '../../core/errors.ts';
import { orderFor } from '../../core/jobs/import-job.ts';
import { jobError } from '../../core/jobs/messages.ts';
import type { ModelManifest } from '../../core/models/manifest.ts';
import { PYTHON } from '../../local/paths.ts';
import type { Output } from '../output.ts';
import { importFolder } from './from-folder.ts';

const TOOL = join(import.meta.dirname, '../../../containers/dev/tools/import_model.py');

export interface HubImport {
  /** Commit, branch or tag. @default - null: the catalogue's */
  readonly revision: string | null;
  /** Folder of the cloud on this machine. */
  readonly dataDir: string;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Downloads what is missing, and links the folder.
 * @throws ModelGated, HubFailed, ModelMismatch, OutOfDisk; ModelMissing when the hub has another layout
 */
export async function importFromHub(
  context: BucketContext,
  row: Model,
  { revision, dataDir, output, signal }: HubImport,
): Promise<ModelManifest> {
  const folder = join(dataDir, 'models', row.id);
  mkdirSync(join(dataDir, 'models'), { recursive: true });
  const order = join(dataDir, 'models', `${row.id}.order.json`);
  writeFileSync(order, JSON.stringify(orderFor(row, revision, context)));
  await download(order, folder, output, signal);
  const manifest = manifestIn(folder);
  const from = { source: manifest?.source ?? row.source, revision: manifest?.revision ?? null };
  return importFolder(context, row, folder, { link: true, ...from, output, signal });
}

async function download(order: string, out: string, output: Output, signal: AbortSignal): Promise<void> {
  const tool = spawn(PYTHON, [TOOL, '--order', order, '--out', out], {
    signal,
    env: process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(tool, 'close');
  let errors = '';
  tool.stderr.on('data', (piece: Buffer) => {
    errors += piece.toString();
  });
  createInterface({ input: tool.stdout }).on('line', (line) => output.say(line));
  const [code] = await ended;
  if (code === 0) return;
  const { name, message } = parseFailure(errors.trim().split('\n').at(-1) ?? '');
  throw jobError(name, message);
}
