/** The synthesized machine: its expressions, retries and failures. */

import { EVENTS_PER_HEARTBEAT, PARALLEL_JOBS } from '../../lib/cloud/limits.ts';
import { JOB_STAGES } from '../../lib/core/words.ts';
import { named, until } from '../local/states/harness.ts';
import {
  arn,
  calls,
  cloud,
  FIRST,
  fail,
  finish,
  INPUT,
  messageOf,
  PLANNED,
  PUBLISHED,
  pass,
  run,
  SAMPLES,
  starts,
  succeed,
  token,
} from './scripted-run.ts';
import { removeTemporary } from './synthesize.ts';

const HEARTBEAT = 900;

afterEach(() => cloud.close());
afterAll(removeTemporary);

test('a successful run goes through the whole pipeline and returns the output of publish-run', async () => {
  await run();
  expect(await finish('teach', 'synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(calls.find(({ lambda }) => lambda === 'PlanRun')?.input).toEqual({ ...INPUT, execution: FIRST });
  expect(calls.find(({ lambda }) => lambda === 'InspectPhotos')?.input).toEqual({
    runId: 'dog-1',
    bucket: 'b',
    photosPrefix: PLANNED.photosPrefix,
    referencesPrefix: PLANNED.referencesPrefix,
    captions: PLANNED.captions,
  });
  expect(calls.find(({ lambda }) => lambda === 'PublishRun')?.input).toEqual({
    runId: 'dog-1',
    execution: FIRST,
  });
  expect(starts('teach')).toEqual([
    { runId: 'dog-1', stage: 'teach', taskToken: expect.any(String), execution: FIRST },
  ]);
  expect(calls.filter(({ lambda }) => lambda === 'EndRun' || lambda === 'ReconcileJob')).toEqual([]);
});

const CURATED = { PlanRun: () => ({ ...PLANNED, stages: JOB_STAGES }) };

test('measures the proxies before the student trains, if the run requests it', async () => {
  await run(CURATED);
  expect(await finish('teach', 'synthesize', 'curate', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  const decisions = calls.filter(({ lambda }) => lambda === 'DecideRound').map(({ input }) => input);
  expect(decisions).toEqual([{ runId: 'dog-1', round: 1 }]);
  expect([...starts('synthesize'), ...starts('curate')].map(({ round }) => round)).toEqual([1, 1]);
});

test('a method without a teacher skips its stages', async () => {
  await run({ PlanRun: () => ({ ...PLANNED, stages: ['learn', 'sample-student', 'evaluate'] }) });
  expect(await finish('learn', 'sample-student', 'evaluate')).toEqual(PUBLISHED);
  const started = calls.filter(({ lambda }) => lambda === 'StartJob').map(({ input }) => input.stage);
  expect(started).toEqual(['learn', 'sample-student', 'evaluate']);
});

test('generates and measures proxies in rounds until there are enough', async () => {
  await run({ ...CURATED, DecideRound: ({ round }) => ({ more: round < 3 }) });
  await succeed('teach');
  for (const round of [1, 2, 3]) for (const stage of ['synthesize', 'curate']) await succeed(stage, round);
  expect(await finish('learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  for (const stage of ['synthesize', 'curate'])
    expect(starts(stage).map(({ round }) => round)).toEqual([1, 2, 3]);
  expect(starts('learn')).toHaveLength(1);
});

test('looks up a silent job of a later round under its round', async () => {
  await run({ ...CURATED, DecideRound: ({ round }) => ({ more: round < 2 }) });
  for (const stage of ['teach', 'synthesize', 'curate']) await succeed(stage);
  await token('synthesize', 2);
  await pass(HEARTBEAT + 1);
  await token('synthesize', 3);
  expect(calls.find(({ lambda }) => lambda === 'ReconcileJob')?.input).toEqual({
    runId: 'dog-1',
    stage: 'synthesize',
    round: 2,
  });
  await succeed('synthesize', 3);
  await succeed('curate', 2);
  expect(await finish('learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test('too few proxies end the run before the student starts', async () => {
  const few = named('ProxiesTooFew', 'Curation kept 2 of 8 proxies.');
  await run({
    ...CURATED,
    DecideRound: () => {
      throw few;
    },
  });
  for (const stage of ['teach', 'synthesize', 'curate']) await succeed(stage);
  expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'ProxiesTooFew' });
  expect(starts('learn')).toEqual([]);
});

test('generates the samples of both models at the same time', async () => {
  await run();
  for (const stage of ['teach', 'synthesize', 'learn']) await succeed(stage);
  await Promise.all(SAMPLES.map((stage) => token(stage)));
  expect(await finish('sample-student', 'sample-teacher', 'evaluate')).toEqual(PUBLISHED);
});

test('keeps waiting, under a new token, for a silent job that is still running', async () => {
  await run();
  const first = await token('teach');
  await pass(HEARTBEAT + 1);
  const second = await token('teach', 2);
  expect(second).not.toBe(first);
  expect(calls.filter(({ lambda }) => lambda === 'ReconcileJob').map(({ input }) => input)).toEqual([
    { runId: 'dog-1', stage: 'teach' },
  ]);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test('each lookup of a silent job adds as many events to the history as the shortest heartbeat allows for', async () => {
  await run();
  for (const stage of ['teach', 'synthesize', 'learn']) await succeed(stage);
  const eventsAfter = async (lookups: number) => {
    if (lookups > 0) await pass(HEARTBEAT + 1);
    for (const stage of SAMPLES) await token(stage, lookups + 1);
    await until(async () => {
      const types = await cloud.types(arn);
      return types.filter((type) => type === 'TaskSubmitted').length === 5 + lookups * SAMPLES.length;
    });
    return (await cloud.history(arn)).length;
  };
  const [first, second, third] = [await eventsAfter(0), await eventsAfter(1), await eventsAfter(2)];
  expect(SAMPLES).toHaveLength(PARALLEL_JOBS);
  expect([second - first, third - second]).toEqual([
    EVENTS_PER_HEARTBEAT * PARALLEL_JOBS,
    EVENTS_PER_HEARTBEAT * PARALLEL_JOBS,
  ]);
});

test('continues when a lookup shows that the job is over', async () => {
  await run({ ReconcileJob: () => ({ over: true, output: { jobName: 'job-teach', seconds: 9 } }) });
  await token('teach');
  await pass(HEARTBEAT + 1);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(starts('teach')).toHaveLength(1);
});

test('a resumed run skips completed stages immediately, without waiting for events of their jobs', async () => {
  await run({
    StartJob: ({ stage }) => {
      if (stage === 'teach' || stage === 'synthesize') throw named('JobOver');
      return { jobName: `job-${stage}` };
    },
    ReconcileJob: ({ stage }) => ({ over: true, output: { jobName: `job-${stage}`, seconds: 9 } }),
  });
  // The clock does not advance.
  expect(await finish('learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(starts('teach')).toHaveLength(1);
  expect(calls.filter(({ lambda }) => lambda === 'ReconcileJob').map(({ input }) => input.stage)).toEqual([
    'teach',
    'synthesize',
  ]);
});

test('restarts a job whose lookup shows a failure that another attempt fixes, immediately', async () => {
  await run({
    ReconcileJob: () => {
      throw named('JobOutOfTime');
    },
  });
  await token('teach');
  await pass(HEARTBEAT + 1);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test('waits before it restarts a job whose lookup shows that there was no capacity', async () => {
  await run({
    ReconcileJob: () => {
      throw named('CapacityUnavailable');
    },
  });
  await token('teach');
  await pass(HEARTBEAT + 1);
  const left = () => (cloud.clock.nextIn ?? Number.POSITIVE_INFINITY) / 1000;
  await until(() => left() <= 300);
  await cloud.clock.advance(left() - 1);
  expect(starts('teach')).toHaveLength(1);
  await pass(1);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test('waits while a quota is used up', async () => {
  await run();
  await fail('teach', 'QuotaBusy');
  // With full jitter the wait is anything up to the five minutes of the settings.
  await pass(300);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test('continues a training that ran out of time in another attempt immediately', async () => {
  await run();
  await fail('teach', 'JobOutOfTime', 'The job ended as MaxRuntimeExceeded');
  await pass(1);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test.each([
  ['OutOfMemory', 'the trainer reports: 24 GiB are not enough'],
  ['JobFailed', 'ValueError in the container'],
  ['QuotaTooLow', 'ask for a quota'],
])('%s ends the run immediately, with the explanation of end-run', async (error, cause) => {
  await run();
  await fail('teach', error, cause);
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, messageOf(ended)]).toEqual(['FAILED', error, `explained: ${cause}`]);
  expect(calls.at(-1)).toEqual({
    lambda: 'EndRun',
    input: { runId: 'dog-1', error: { Error: error, Cause: cause }, execution: FIRST, redriven: false },
  });
  expect(starts('teach')).toHaveLength(1);
  expect(starts('synthesize')).toEqual([]);
});

test('rejected photos end the run before any job starts', async () => {
  await run({
    InspectPhotos: () => {
      throw named('PhotosRejected', 'three are blurred');
    },
  });
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error]).toEqual(['FAILED', 'PhotosRejected']);
  expect(ended.cause).toContain('three are blurred');
  expect(calls.map(({ lambda }) => lambda)).toEqual(['PlanRun', 'InspectPhotos', 'EndRun']);
});

test('an overdue job ends the run', async () => {
  await run({
    ReconcileJob: () => {
      throw named('StageTimedOut', 'it was stopped');
    },
  });
  await token('teach');
  await pass(HEARTBEAT + 1);
  expect((await cloud.ended(arn)).error).toBe('StageTimedOut');
});

test('the error of one sample stage ends the run under its own name', async () => {
  await run();
  for (const stage of ['teach', 'synthesize', 'learn']) await succeed(stage);
  await token('sample-teacher');
  await fail('sample-student', 'ModelMismatch', 'another student');
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, messageOf(ended)]).toEqual([
    'FAILED',
    'ModelMismatch',
    'explained: another student',
  ]);
  expect(calls.filter(({ lambda }) => lambda === 'EndRun')).toHaveLength(1);
});

test('a chunk that stays missing ends the run after three retries', async () => {
  await run();
  await succeed('teach');
  for (let attempt = 1; attempt <= 4; attempt++) {
    await fail('synthesize', 'ChunksMissing', 'one is missing', attempt);
    if (attempt < 4) await pass(60);
  }
  expect((await cloud.ended(arn)).error).toBe('ChunksMissing');
  expect(starts('synthesize')).toHaveLength(4);
});
