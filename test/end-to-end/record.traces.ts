/**
 * Records the traces of authorization that are checked in under `test/cloud/traces`: `npm run traces`. Each pass has a
 * cloud of its own, so that its trace is complete.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settle, TRACES } from '../cloud/permissions/traces.ts';
import { endAll } from './commands.ts';
import { expectSurvivesFaults } from './faults.ts';
import { expectGenerated, expectStopped } from './generate.ts';
import { abortPass } from './passes/abort.ts';
import { deploymentPass } from './passes/deployment.ts';
import { endingPass } from './passes/ending.ts';
import { failurePass } from './passes/failure.ts';
import { importPass } from './passes/import.ts';
import { normalPass } from './passes/normal.ts';
import { undeliveredPass } from './passes/undelivered.ts';
import { openCloud, type TestCloud } from './pipeline.ts';

const MINUTE = 60_000;
/** Short, so that jobs whose events are lost are looked up soon. */
const HEARTBEAT_SECONDS = 6;
const dataDir = mkdtempSync(join(tmpdir(), 'proxytune-traces-'));
let run = '';

beforeAll(() => mkdirSync(TRACES, { recursive: true }));

afterAll(() => {
  endAll();
  rmSync(dataDir, { recursive: true, force: true });
});

const PASSES: Readonly<Record<string, (cloud: TestCloud) => Promise<void>>> = {
  normal: async (cloud) => {
    run = await normalPass(cloud);
  },
  generate: async (cloud) => {
    await expectGenerated(cloud, run);
    await expectStopped(cloud, run);
  },
  spot: expectSurvivesFaults,
  failure: async (cloud) => {
    await failurePass(cloud);
    await undeliveredPass(cloud);
  },
  abort: abortPass,
  import: importPass,
  ending: endingPass,
};
/** Passes with the data of the first one. */
const CONTINUED = ['normal', 'generate'];

test.each(Object.keys(PASSES))(
  '%s',
  async (name) => {
    const data = CONTINUED.includes(name) ? { dataDir } : {};
    const cloud = await openCloud(HEARTBEAT_SECONDS, { trace: join(TRACES, `${name}.jsonl`), ...data });
    try {
      await PASSES[name]?.(cloud);
    } finally {
      await cloud.end();
    }
    settle(name);
  },
  25 * MINUTE,
);

test(
  'deployment',
  async () => {
    await deploymentPass(join(TRACES, 'deployment.jsonl'));
    settle('deployment');
  },
  5 * MINUTE,
);
