/**
 * Runs the synthesized machine: its expressions, retries and failures, on a clock that the test controls. The lambdas
 * are scripted; the real ones have their own tests and the end-to-end tests.
 */
import {
  CreateStateMachineCommand,
  RedriveExecutionCommand,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { EVENTS_PER_HEARTBEAT, PARALLEL_JOBS } from '../../lib/cloud/limits.ts';
import { type Functions, Harness, named, ROLE, until } from '../local/states/harness.ts';
import { definitionOf, removeTemporary, synthesize } from './synthesize.ts';

const LAMBDAS = [
  'PlanRun',
  'InspectPhotos',
  'StartJob',
  'ReconcileJob',
  'DecideRound',
  'EndRun',
  'PublishRun',
] as const;
type Lambda = (typeof LAMBDAS)[number];

const definition = definitionOf(synthesize({ target: 'local' }).template);
const INPUT = {
  runId: 'dog-1',
  bucket: 'b',
  subject: 'dog',
  key: 'subjects/dog/subject.json',
  version: 'v1',
};
const PLANNED = {
  runId: 'dog-1',
  bucket: 'b',
  planKey: 'runs/dog-1/plan.json',
  photosPrefix: 'subjects/dog/photos/',
  referencesPrefix: 'runs/dog-1/references/',
  curated: false,
};
const PUBLISHED = { runId: 'dog-1', report: 's3://b/runs/dog-1/report/index.html', usd: 4.5 };
const HEARTBEAT = 900;

interface Call {
  readonly lambda: Lambda;
  // biome-ignore lint/suspicious/noExplicitAny: each lambda has its own input
  readonly input: any;
}

let cloud: Harness;
let calls: Call[];
let arn: string;

afterEach(() => cloud.close());
afterAll(removeTemporary);

/** Starts a run whose lambdas behave as scripted, and succeed by default. */
async function run(script: Partial<Record<Lambda, (input: Call['input']) => unknown>> = {}): Promise<void> {
  const defaults: Record<Lambda, (input: Call['input']) => unknown> = {
    PlanRun: () => PLANNED,
    InspectPhotos: () => ({ accepted: 5, warnings: 0 }),
    StartJob: ({ stage }) => ({ jobName: `job-${stage}` }),
    ReconcileJob: () => ({ over: false }),
    DecideRound: () => ({ more: false }),
    EndRun: ({ error }) => ({ error: error.Error, cause: `explained: ${error.Cause}` }),
    PublishRun: () => PUBLISHED,
  };
  calls = [];
  const byName = (lambda: Lambda) => (input: unknown) => {
    calls.push({ lambda, input });
    return (script[lambda] ?? defaults[lambda])(input);
  };
  const names = [...new Set(JSON.stringify(definition).match(/arn:aws:lambda:[\w:-]+/g))];
  const functions: Functions = Object.fromEntries(
    LAMBDAS.map((lambda) => [names.find((name) => name.includes(lambda)) ?? lambda, byName(lambda)]),
  );
  cloud = await new Harness(functions).open();
  const { stateMachineArn } = await cloud.sfn.send(
    new CreateStateMachineCommand({ name: 'run', definition: JSON.stringify(definition), roleArn: ROLE }),
  );
  const started = await cloud.sfn.send(
    new StartExecutionCommand({ stateMachineArn, name: INPUT.runId, input: JSON.stringify(INPUT) }),
  );
  arn = started.executionArn ?? '';
}

const starts = (stage: string) =>
  calls
    .filter(({ lambda, input }) => lambda === 'StartJob' && input.stage === stage)
    .map(({ input }) => input);

/** The token of the latest start of a stage, once it has been started `count` times. */
async function token(stage: string, count = 1): Promise<string> {
  await until(() => starts(stage).length === count);
  return starts(stage).at(-1).taskToken;
}

async function succeed(stage: string, count = 1): Promise<void> {
  const taskToken = await token(stage, count);
  const output = JSON.stringify({ jobName: `job-${stage}`, seconds: 1 });
  await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output }));
}

async function fail(stage: string, error: string, cause = 'because', count = 1): Promise<void> {
  const taskToken = await token(stage, count);
  await cloud.sfn.send(new SendTaskFailureCommand({ taskToken, error, cause }));
}

/** Advances the clock once the run has a timer that is due within this time. */
async function pass(seconds: number): Promise<void> {
  await until(() => (cloud.clock.nextIn ?? Number.POSITIVE_INFINITY) <= seconds * 1000);
  await cloud.clock.advance(seconds);
}

/** Completes the remaining stages successfully and returns the output. */
async function finish(...stages: string[]): Promise<unknown> {
  for (const stage of stages) await succeed(stage);
  const { status, output, error, cause } = await cloud.ended(arn);
  if (status !== 'SUCCEEDED') throw new Error(`${status}: ${error}: ${cause}`);
  return JSON.parse(output ?? '');
}

const SAMPLES = ['sample-teacher', 'sample-student'];

test('a successful run goes through the whole pipeline and returns the output of publish-run', async () => {
  await run();
  expect(await finish('teach', 'synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(calls.find(({ lambda }) => lambda === 'PlanRun')?.input).toEqual(INPUT);
  expect(calls.find(({ lambda }) => lambda === 'InspectPhotos')?.input).toEqual({
    runId: 'dog-1',
    bucket: 'b',
    photosPrefix: PLANNED.photosPrefix,
    referencesPrefix: PLANNED.referencesPrefix,
  });
  expect(calls.find(({ lambda }) => lambda === 'PublishRun')?.input).toEqual({ runId: 'dog-1' });
  expect(starts('teach')).toEqual([{ runId: 'dog-1', stage: 'teach', taskToken: expect.any(String) }]);
  expect(calls.filter(({ lambda }) => lambda === 'EndRun' || lambda === 'ReconcileJob')).toEqual([]);
});

const CURATED = { PlanRun: () => ({ ...PLANNED, curated: true }) };

test('measures the proxies before the student trains, if the run requests it', async () => {
  await run(CURATED);
  expect(await finish('teach', 'synthesize', 'curate', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  const decisions = calls.filter(({ lambda }) => lambda === 'DecideRound').map(({ input }) => input);
  expect(decisions).toEqual([{ runId: 'dog-1', round: 1 }]);
  expect([...starts('synthesize'), ...starts('curate')].map(({ round }) => round)).toEqual([1, 1]);
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

test('restarts a job whose lookup shows a retryable failure', async () => {
  await run({
    ReconcileJob: () => {
      throw named('CapacityUnavailable');
    },
  });
  await token('teach');
  await pass(HEARTBEAT + 1);
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
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', error, `explained: ${cause}`]);
  expect(calls.at(-1)).toEqual({
    lambda: 'EndRun',
    input: { runId: 'dog-1', error: { Error: error, Cause: cause } },
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
  expect([ended.status, ended.error, ended.cause]).toEqual([
    'FAILED',
    'ModelMismatch',
    'explained: another student',
  ]);
  expect(calls.filter(({ lambda }) => lambda === 'EndRun')).toHaveLength(1);
});

test('reports the first error even if end-run fails', async () => {
  await run({
    EndRun: () => {
      throw named('Error', 'no table');
    },
  });
  await fail('teach', 'TrainingDiverged', 'loss is NaN');
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', 'TrainingDiverged', 'loss is NaN']);
});

test('a timeout, which has no cause, keeps its name even if end-run fails', async () => {
  await run({
    PlanRun: () => new Promise(() => {}),
    EndRun: () => {
      throw named('Error', 'no table');
    },
  });
  await until(() => calls.length === 1);
  await pass(timeoutOf('Plan'));
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', 'States.Timeout', '']);
  expect(calls.map(({ lambda }) => lambda)).toEqual(['PlanRun', 'EndRun']);
  expect(calls[1]?.input.error).toEqual({ Error: 'States.Timeout', Cause: '' });
});

test('a failure without name and cause ends the run even if end-run fails', async () => {
  await run({
    EndRun: () => {
      throw named('Error', 'no table');
    },
  });
  await cloud.sfn.send(new SendTaskFailureCommand({ taskToken: await token('teach') }));
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', 'States.TaskFailed', '']);
  expect(calls.at(-1)?.input.error).toEqual({ Error: null, Cause: null });
});

test('a redrive of a stopped run continues its job under a new token, without another plan', async () => {
  await run();
  await succeed('teach');
  const before = await token('synthesize');
  await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
  await cloud.sfn.send(new RedriveExecutionCommand({ executionArn: arn }));
  expect(await token('synthesize', 2)).not.toBe(before);
  await succeed('synthesize', 2);
  expect(await finish('learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(starts('teach')).toHaveLength(1);
  expect(calls.filter(({ lambda }) => lambda === 'PlanRun')).toHaveLength(1);
});

test('a redrive of a failed run fails again with the same reason', async () => {
  await run();
  await fail('teach', 'TrainingDiverged', 'loss is NaN');
  const { error, cause } = await cloud.ended(arn);
  await cloud.sfn.send(new RedriveExecutionCommand({ executionArn: arn }));
  expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error, cause, redriveCount: 1 });
  expect(starts('teach')).toHaveLength(1);
});

/** The limit of a state of the pipeline, in seconds. */
function timeoutOf(state: string): number {
  const [{ States: pipeline }] = definition.States.Run.Branches;
  return pipeline[state].TimeoutSeconds;
}

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
