/** Proxies in rounds, in a real SageMaker service of ours: what is drawn, measured, weighed and kept. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeTrainingJobCommand } from '@aws-sdk/client-sagemaker';
import { handler } from '../../../lambdas/decide-round/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { sagemaker } from '../../../lib/aws/clients.ts';
import { listKeys } from '../../../lib/aws/s3.ts';
import { listJobs, readRun } from '../../../lib/aws/table.ts';
import type { Curation } from '../../../lib/core/contract/curation.ts';
import { keys } from '../../../lib/core/keys.ts';
import { JOB_STAGES } from '../../../lib/core/words.ts';
import { Bench, REQUEST } from '../bench.ts';

const FIXTURE: Curation = JSON.parse(
  readFileSync(
    join(import.meta.dirname, '../../../containers/tests/curation/fixtures/curation.json'),
    'utf8',
  ),
);
/** Eight proxies in four chunks, so two chunks a round. */
const ASKED = {
  ...REQUEST,
  curation: true,
  adaptiveProxies: true,
  advanced: { ...REQUEST.advanced, curate: { rounds: 2, minimum: 4 } },
};

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);

/** Has a round drawn and measured. */
async function round(runId: string, number: number, facts: Partial<Curation>): Promise<void> {
  await bench.finish(runId, 'synthesize', number);
  const job = `proxytune-${runId}-curate-${number > 1 ? `r${number}-` : ''}a1`;
  const files = { 'curation.json': JSON.stringify({ ...FIXTURE, run: runId, round: number, ...facts }) };
  bench.control(job, { files });
  expect(await bench.finish(runId, 'curate', number)).toBe(job);
}

const drawn = async (runId: string) =>
  (await listKeys(bench.context, keys.pictures(runId, 'synthesize')))
    .map((key) => key.split('/').slice(-2).join('/'))
    .sort();

test('the second round generates the other chunks, and is the last', async () => {
  const runId = await bench.plan('rounds', ASKED);
  expect(await readRun(bench.context, runId)).toMatchObject({ stages: JOB_STAGES });
  await bench.finish(runId, 'teach');
  await round(runId, 1, { drawn: 4, kept: 2 });
  expect(await drawn(runId)).toEqual(['a1/chunk-0000.json.out', 'a1/chunk-0001.json.out']);
  expect(await handler({ runId, round: 1 })).toEqual({ more: true });
  expect(await bench.exists(keys.curationFile(runId))).toBe(false);

  await round(runId, 2, { kept: 5 });
  expect((await drawn(runId)).slice(2)).toEqual(['r2-a1/chunk-0002.json.out', 'r2-a1/chunk-0003.json.out']);
  expect(await handler({ runId, round: 2 })).toEqual({ more: false });
  expect(JSON.parse((await bench.get(keys.curationFile(runId))).text)).toMatchObject({ round: 2, kept: 5 });
  const { HyperParameters } = await sagemaker().send(
    new DescribeTrainingJobCommand({ TrainingJobName: `proxytune-${runId}-curate-r2-a1` }),
  );
  expect(HyperParameters).toMatchObject({ stage: 'curate', round: '2' });
}, 90_000);

test('a resumed run finds each round done, creates no job again, and gets the same answer', async () => {
  const runId = await bench.plan('resumed', ASKED);
  await bench.finish(runId, 'teach');
  const satisfied = FIXTURE.adaptive && { ...FIXTURE.adaptive, satisfied: true };
  await round(runId, 1, { drawn: 4, kept: 4, adaptive: satisfied });
  expect(await handler({ runId, round: 1 })).toEqual({ more: false });
  const before = await listJobs(bench.context, runId);
  for (const stage of ['synthesize', 'curate'] as const)
    await expect(startJob({ runId, stage, round: 1, taskToken: 'again' })).rejects.toMatchObject({
      name: 'JobOver',
    });
  expect(await handler({ runId, round: 1 })).toEqual({ more: false });
  expect((await listJobs(bench.context, runId)).map(({ jobName }) => jobName)).toEqual(
    before.map(({ jobName }) => jobName),
  );
}, 90_000);

test('too few are an error, whose evidence is where the error says', async () => {
  const runId = await bench.plan('few', {
    ...ASKED,
    adaptiveProxies: false,
    advanced: { ...REQUEST.advanced },
  });
  await bench.finish(runId, 'teach');
  await round(runId, 1, { kept: 3 });
  await expect(handler({ runId, round: 1 })).rejects.toMatchObject({
    name: 'ProxiesTooFew',
    message: expect.stringContaining(keys.curationFile(runId)),
  });
  expect(JSON.parse((await bench.get(keys.curationFile(runId))).text)).toMatchObject({ kept: 3 });
}, 90_000);
