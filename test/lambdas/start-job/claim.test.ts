/** The same request with the same photos, uploaded again: said so, and no job is created. */
import { handler } from '../../../lambdas/start-job/handler.ts';
import { finishRun, readRun } from '../../../lib/aws/table.ts';
import { keys } from '../../../lib/core/keys.ts';
import { Bench, REQUEST } from '../bench.ts';
import { jobsOfStage } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);

const start = (runId: string) => handler({ runId, stage: 'teach', taskToken: 'token-1' });
const creations = () => bench.gate.calls.filter(({ operation }) => operation.startsWith('Create')).length;

/** A run that was planned and inspected. @param photos - stands for their content */
async function inspected(subject: string, photos: string, request: object = REQUEST): Promise<string> {
  const runId = await bench.plan(subject, request);
  await bench.put(keys.findings(runId), JSON.stringify({ referencesDigest: photos }));
  return runId;
}

const end = (runId: string, status: 'SUCCEEDED' | 'FAILED' | 'STOPPED') =>
  finishRun(bench.context, runId, {
    status,
    endedAt: new Date().toISOString(),
    ...(status === 'SUCCEEDED' ? { report: `s3://bucket/${keys.reportPage(runId)}` } : {}),
  });

/** Expects that a run is refused for another one, without any job. */
async function expectRepeated(runId: string, of: string): Promise<void> {
  const before = creations();
  await expect(start(runId)).rejects.toMatchObject({
    name: 'RequestRepeated',
    message: expect.stringContaining(of),
  });
  expect(creations()).toBe(before);
  expect(await jobsOfStage(bench.context, runId, 'teach')).toEqual([]);
}

test('while a run is at work, the second identical upload creates no job', async () => {
  const first = await inspected('twice', 'five photos');
  bench.control(`proxytune-${first}-teach-a1`, { hang: true });
  const before = creations();
  await start(first);
  expect(creations()).toBe(before + 1);
  const second = await inspected('twice', 'five photos');
  expect(second).not.toBe(first);
  await expectRepeated(second, `${first}, which is running`);
  // Nor does the refused run hold the request: the third is answered with the first one too.
  await expectRepeated(await inspected('twice', 'five photos'), first);
  expect(await readRun(bench.context, first)).toMatchObject({ status: 'RUNNING' });
});

test('after a run has succeeded, its report is named', async () => {
  const first = await inspected('done', 'photos');
  await start(first);
  await end(first, 'SUCCEEDED');
  await expectRepeated(await inspected('done', 'photos'), keys.reportPage(first));
});

test.each(['FAILED', 'STOPPED'] as const)('after a run was %s the same request runs', async (status) => {
  const subject = `after-${status.toLowerCase()}`;
  const first = await inspected(subject, 'photos');
  await start(first);
  await end(first, status);
  const second = await inspected(subject, 'photos');
  await start(second);
  expect(await jobsOfStage(bench.context, second, 'teach')).toHaveLength(1);
  await expectRepeated(await inspected(subject, 'photos'), second);
});

test('again in the request forces a run, which is then the one that is named', async () => {
  const first = await inspected('forced', 'photos');
  await start(first);
  const second = await inspected('forced', 'photos', { ...REQUEST, again: true });
  await start(second);
  expect(await jobsOfStage(bench.context, second, 'teach')).toHaveLength(1);
  await expectRepeated(await inspected('forced', 'photos'), second);
});

test.each([
  ['other photos', 'others', 'other photos', REQUEST, false],
  ['another seed', 'seeds', 'photos', { ...REQUEST, seed: 1 }, false],
  [
    'another limit of costs and address',
    'limits',
    'photos',
    { ...REQUEST, maxUsd: 20, notify: 'a@example.com' },
    true,
  ],
  [
    'its fields in another order',
    'order',
    'photos',
    Object.fromEntries(Object.entries(REQUEST).reverse()),
    true,
  ],
] as const)('%s: the same run or another one', async (_, subject, photos, request, same) => {
  const first = await inspected(subject, 'photos');
  await start(first);
  const second = await inspected(subject, photos, request);
  if (same) return expectRepeated(second, first);
  await start(second);
  expect(await jobsOfStage(bench.context, second, 'teach')).toHaveLength(1);
});

test('two identical uploads at once: one of them creates a job', async () => {
  const runs = [await inspected('race', 'photos'), await inspected('race', 'photos')];
  const before = creations();
  const results = await Promise.allSettled(runs.map(start));
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(creations()).toBe(before + 1);
});

test('a run that continues is not compared with itself', async () => {
  const runId = await inspected('same', 'photos');
  await start(runId);
  await expect(start(runId)).resolves.toMatchObject({ jobName: expect.stringContaining(runId) });
});
