/** The view of a run in `status`, read from a real table and bucket as the lambdas leave them. */

import type { AwsContext } from '../../lib/aws/context.ts';
import { beginRun, finishJob, finishRun, updateRun } from '../../lib/aws/table.ts';
import { readRunView } from '../../lib/cli/run-state.ts';
import { chunkName, keys } from '../../lib/core/keys.ts';
import { JOB_STAGES } from '../../lib/core/words.ts';
import { Bench, BUCKET } from '../lambdas/bench.ts';
import { recordJob } from '../lambdas/jobs.ts';
import { contextOf } from './context.ts';

let bench: Bench;
let aws: AwsContext;

beforeAll(async () => {
  bench = await Bench.start();
  aws = contextOf(bench);
}, 120_000);
afterAll(async () => {
  aws?.close();
  await bench?.close();
}, 60_000);

async function states(runId: string): Promise<Record<string, string>> {
  const { stages = [] } = (await readRunView(aws, runId)) ?? {};
  return Object.fromEntries(stages.map(({ stage, state }) => [stage, state]));
}

const begin = (runId: string) => beginRun(bench.context, { runId, subject: 'rex', bucket: BUCKET });

test('a run that begins is planning, then inspecting until the findings are there, then teaching', async () => {
  const run = 'rex-00000001';
  await begin(run);
  expect(await states(run)).toMatchObject({ plan: 'running', inspect: 'waiting' });
  await bench.put(keys.plan(run), '{}');
  await bench.put(`${keys.references(run)}reference-00.png`, 'a photo');
  expect(await states(run)).toMatchObject({ plan: 'done', inspect: 'running', teach: 'waiting' });
  await bench.put(keys.findings(run), '{}');
  expect(await states(run)).toMatchObject({ inspect: 'done', teach: 'running', synthesize: 'waiting' });
});

test('a warning of a run is part of its view', async () => {
  const run = 'rex-0000000w';
  await begin(run);
  expect(await readRunView(aws, run)).toMatchObject({ warning: null });
  await updateRun(bench.context, run, { warning: 'no mail may arrive' });
  expect(await readRunView(aws, run)).toMatchObject({ warning: 'no mail may arrive' });
});

test('photos that were refused fail the inspection, not the teacher', async () => {
  const run = 'rex-00000002';
  await begin(run);
  await bench.put(keys.plan(run), '{}');
  await bench.put(keys.findings(run), '{}');
  await finishRun(bench.context, run, {
    status: 'FAILED',
    endedAt: new Date().toISOString(),
    error: 'PhotosRejected',
  });
  expect(await states(run)).toMatchObject({ plan: 'done', inspect: 'failed', teach: 'waiting' });
});

test('a job that failed while its run goes on waits to be tried again', async () => {
  const run = 'rex-00000009';
  await begin(run);
  await recordJob(bench.context, { run, stage: 'teach', attempt: 1 }, { state: 'FAILED', reported: true });
  const teach = async () => (await readRunView(aws, run))?.stages.find(({ stage }) => stage === 'teach');
  expect(await teach()).toMatchObject({ state: 'running', phase: 'waiting to be retried', attempt: 1 });
  await finishRun(bench.context, run, {
    status: 'FAILED',
    endedAt: new Date().toISOString(),
    error: 'JobFailed',
  });
  expect(await teach()).toMatchObject({ state: 'failed' });
});

test('a request that was refused fails the plan', async () => {
  const run = 'rex-00000003';
  await begin(run);
  await finishRun(bench.context, run, {
    status: 'FAILED',
    endedAt: new Date().toISOString(),
    error: 'OverBudget',
  });
  expect(await states(run)).toMatchObject({ plan: 'failed', inspect: 'waiting' });
});

test('a second attempt at drawing counts all chunks, and its pace is that of its own', async () => {
  const run = 'rex-00000004';
  const stage = 'synthesize';
  await begin(run);
  const createdAt = new Date(Date.now() - 100_000).toISOString();
  await recordJob(bench.context, { run, stage, attempt: 2 }, { createdAt, chunks: 10 });
  for (const chunk of [0, 1, 2, 3])
    await bench.put(`${keys.picturesOfAttempt(run, stage, 1)}${chunkName(chunk)}.out`, 'x');
  await bench.put(`${keys.picturesOfAttempt(run, stage, 2)}${chunkName(4)}.out`, 'x');
  const view = (await readRunView(aws, run))?.stages.find((entry) => entry.stage === stage);
  expect(view).toMatchObject({ state: 'running', step: 5, total: 10, unit: 'chunks' });
  // One chunk in a hundred seconds, and five are left.
  expect(view?.rate).toBeCloseTo(0.01, 3);
  expect(view?.etaSeconds).toBeGreaterThan(490);
  expect(view?.etaSeconds).toBeLessThan(600);
});

test('proxies in rounds: the newest round is shown, and learning waits until the last is weighed', async () => {
  const run = 'rex-00000005';
  await begin(run);
  expect(Object.keys(await states(run))).not.toContain('curate');
  await updateRun(bench.context, run, { stages: JOB_STAGES });
  const done = { state: 'SUCCEEDED', reported: true, seconds: 5 } as const;
  const round = async (number: number, chunks: number) => {
    const which = number === 1 ? {} : { round: number };
    for (const stage of ['synthesize', 'curate'] as const) {
      const identity = { run, stage, attempt: 1, ...which };
      await recordJob(bench.context, identity, stage === 'synthesize' ? { chunks } : {});
      await finishJob(bench.context, identity, done);
    }
  };
  await round(1, 2);
  expect(await states(run)).toMatchObject({ synthesize: 'done', curate: 'running', learn: 'waiting' });
  await recordJob(bench.context, { run, stage: 'synthesize', attempt: 1, round: 2 }, { chunks: 4 });
  await bench.put(`${keys.picturesOfAttempt(run, 'synthesize', 1, 2)}${chunkName(2)}.out`, 'x');
  const view = (await readRunView(aws, run))?.stages.find(({ stage }) => stage === 'synthesize');
  expect(view).toMatchObject({ state: 'running', phase: 'drawing, round 2', total: 4, attempt: 1 });
  await finishJob(bench.context, { run, stage: 'synthesize', attempt: 1, round: 2 }, done);
  await recordJob(bench.context, { run, stage: 'curate', attempt: 1, round: 2 });
  await finishJob(bench.context, { run, stage: 'curate', attempt: 1, round: 2 }, done);
  expect(await states(run)).toMatchObject({ curate: 'running', learn: 'waiting' });
  await bench.put(keys.curationFile(run), '{}');
  expect(await states(run)).toMatchObject({ curate: 'done', learn: 'running' });
});

test('a stage stays done when its proxies and the findings have expired', async () => {
  const run = 'rex-00000007';
  await begin(run);
  await bench.put(keys.plan(run), '{}');
  const identity = { run, stage: 'synthesize', attempt: 1 } as const;
  await recordJob(bench.context, identity, { chunks: 4 });
  await finishJob(bench.context, identity, { state: 'SUCCEEDED', reported: true, seconds: 5 });
  const { stages = [] } = (await readRunView(aws, run)) ?? {};
  expect(stages.find(({ stage }) => stage === 'inspect')).toMatchObject({ state: 'done' });
  expect(stages.find(({ stage }) => stage === 'synthesize')).toMatchObject({
    state: 'done',
    step: 4,
    total: 4,
  });
});

test('a run that too few proxies ended failed in its curation', async () => {
  const run = 'rex-00000006';
  await begin(run);
  await updateRun(bench.context, run, { stages: JOB_STAGES });
  await recordJob(bench.context, { run, stage: 'curate', attempt: 1 });
  await finishJob(
    bench.context,
    { run, stage: 'curate', attempt: 1 },
    { state: 'SUCCEEDED', reported: true, seconds: 5 },
  );
  await bench.put(keys.curationFile(run), '{}');
  await finishRun(bench.context, run, {
    status: 'FAILED',
    endedAt: new Date().toISOString(),
    error: 'ProxiesTooFew',
  });
  expect(await states(run)).toMatchObject({ curate: 'failed', learn: 'waiting' });
});
