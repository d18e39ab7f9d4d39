/** A run that is continued after its intermediates have expired: it fails under a name, before a job is paid for. */
import { handler } from '../../../lambdas/start-job/handler.ts';
import { listKeys } from '../../../lib/aws/s3.ts';
import { keys } from '../../../lib/core/keys.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench } from '../bench.ts';
import { jobsOfStage } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);

const start = (runId: string, stage: JobStage) => handler({ runId, stage, taskToken: 'token-1' });
const creations = () => bench.gate.calls.filter(({ operation }) => operation.startsWith('Create')).length;

/** Deletes what a lifecycle rule would. */
async function expire(prefix: string): Promise<void> {
  for (const key of await listKeys(bench.context, prefix)) await bench.delete(key);
}

test('what a stage reads and has expired is named, and nothing is created or recorded', async () => {
  const runId = await bench.plan('old');
  await bench.finish(runId, 'teach');
  await bench.finish(runId, 'synthesize');
  await bench.finish(runId, 'learn');
  const before = creations();
  await expire(keys.intermediates(runId));
  const expired: Readonly<Record<'sample-student' | 'evaluate', readonly string[]>> = {
    'sample-student': [keys.chunks(runId, 'sample-student')],
    evaluate: [keys.references(runId), keys.pictures(runId, 'synthesize'), keys.losses(runId, 'learn')],
  };
  for (const [stage, prefixes] of Object.entries(expired)) {
    const error = await start(runId, stage as JobStage).catch((cause: Error) => cause);
    expect(error).toMatchObject({ name: 'InputsExpired' });
    for (const prefix of prefixes) expect(error).toMatchObject({ message: expect.stringContaining(prefix) });
    expect(await jobsOfStage(bench.context, runId, stage as JobStage)).toEqual([]);
  }
  expect(creations()).toBe(before);
  // What a later `generate` needs stays.
  expect((await listKeys(bench.context, keys.jobs(runId))).length).toBeGreaterThan(0);
}, 120_000);

test('a training that lost its photos is not started on nothing', async () => {
  const runId = await bench.plan('bare');
  await expire(keys.references(runId));
  await expect(start(runId, 'teach')).rejects.toMatchObject({
    name: 'InputsExpired',
    message: expect.stringContaining('intermediatesDays'),
  });
});
