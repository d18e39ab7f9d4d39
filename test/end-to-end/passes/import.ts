/** Imports of models by jobs: one that requires a token, and one whose upload is given up in the middle. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { model } from '../../../lib/core/catalogue/models.ts';
import { tokenSecret } from '../../../lib/core/names.ts';
import { PYTHON } from '../../../lib/local/paths.ts';
import { hubFiles, safetensors, write } from '../../aws/model-folders.ts';
import { awsJson } from '../../local/emulator/helpers.ts';
import { start } from '../commands.ts';
import type { TestCloud } from '../pipeline.ts';

const FAKE_HUB = join(import.meta.dirname, '../../../containers/tests/importing/fake_hub.py');
const TOKEN = 'hf_0123456789secret';
const WEIGHTS = 'unet/diffusion_pytorch_model.safetensors';
/** More than is sent in one request. */
const IN_PARTS = 80 * 2 ** 20;

export async function importPass(cloud: TestCloud): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'proxytune-hub-'));
  const hub = startHub(folder);
  try {
    const address = await hub.address;
    const endpoint = cloud.local.environment.AWS_ENDPOINT_URL ?? '';
    const secret = { Name: tokenSecret('Proxytune'), SecretString: TOKEN };
    await awsJson(endpoint, 'secretsmanager.CreateSecret', secret);
    const environment = { ...cloud.local.environment, HF_ENDPOINT: address, HF_HOME: join(folder, 'home') };
    const bring = (id: string) =>
      start(['import-model', id, '--stack', 'Proxytune', '--accept-licence'], environment).ended;
    const gated = await bring('flux-dev');
    expect({ code: gated.code, err: gated.err }).toMatchObject({ code: 0 });
    const broken = await bring('sdxl');
    expect(broken.code).not.toBe(0);
    expect(broken.err).toContain(WEIGHTS);
  } finally {
    hub.process.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Serves both models; the weights of one are not those that are announced. */
function startHub(folder: string): { process: ChildProcess; address: Promise<string> } {
  for (const id of ['sdxl', 'flux-dev']) {
    const row = model(id);
    const gate = row.hub?.gated ? { gated: TOKEN } : {};
    const files = { ...hubFiles(row), ...gate, commit: row.hub?.revision ?? '' };
    const large =
      id === 'sdxl'
        ? { [WEIGHTS]: safetensors(IN_PARTS), [`${WEIGHTS}.instead`]: safetensors(IN_PARTS, 3) }
        : {};
    write(join(folder, row.hub?.repository ?? id), { ...files, ...large });
  }
  const process = spawn(PYTHON, [FAKE_HUB, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const address = once(process.stdout ?? process, 'data').then(([line]) => String(line).trim());
  return { process, address };
}
