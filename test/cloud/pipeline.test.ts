/**
 * The synthesised machine, run: its expressions, retries and ways of failing, on a clock that the test moves. The
 * lambdas here are scripts; what the real ones do is tested beside them and end to end.
 */
import {
  CreateStateMachineCommand,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
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

/** Starts a run whose lambdas answer as scripted, and otherwise as on a good day. */
async function run(script: Partial<Record<Lambda, (input: Call['input']) => unknown>> = {}): Promise<void> {
  const goodDay: Record<Lambda, (input: Call['input']) => unknown> = {
    PlanRun: () => PLANNED,
    InspectPhotos: () => ({ accepted: 5, warnings: 0 }),
    StartJob: ({ stage }) => ({ jobName: `job-${stage}` }),
    ReconcileJob: () => ({ over: false }),
    DecideRound: () => ({ more: false }),
    EndRun: ({ error }) => ({ error: error.Error, cause: `told: ${error.Cause}` }),
    PublishRun: () => PUBLISHED,
  };
  calls = [];
  const byName = (lambda: Lambda) => (input: unknown) => {
    calls.push({ lambda, input });
    return (script[lambda] ?? goodDay[lambda])(input);
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

/** The token of the latest start of a stage, once there have been so many. */
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

/** Moves the clock once something in the run is waiting for so much time or less. */
async function pass(seconds: number): Promise<void> {
  await until(() => (cloud.clock.nextIn ?? Number.POSITIVE_INFINITY) <= seconds * 1000);
  await cloud.clock.advance(seconds);
}

/** The rest of the road, on which all goes well. */
async function finish(...stages: string[]): Promise<unknown> {
  for (const stage of stages) await succeed(stage);
  const { status, output, error, cause } = await cloud.ended(arn);
  if (status !== 'SUCCEEDED') throw new Error(`${status}: ${error}: ${cause}`);
  return JSON.parse(output ?? '');
}

const SAMPLES = ['sample-teacher', 'sample-student'];

test('a good run walks the whole road and leaves what publish-run says', async () => {
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

test('a run that asks for it has its proxies measured before the student learns', async () => {
  await run(CURATED);
  expect(await finish('teach', 'synthesize', 'curate', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  const weighed = calls.filter(({ lambda }) => lambda === 'DecideRound').map(({ input }) => input);
  expect(weighed).toEqual([{ runId: 'dog-1', round: 1 }]);
  expect([...starts('synthesize'), ...starts('curate')].map(({ round }) => round)).toEqual([1, 1]);
});

test('proxies are drawn and measured in rounds, until no more are wanted', async () => {
  await run({ ...CURATED, DecideRound: ({ round }) => ({ more: round < 3 }) });
  await succeed('teach');
  for (const round of [1, 2, 3]) for (const stage of ['synthesize', 'curate']) await succeed(stage, round);
  expect(await finish('learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  for (const stage of ['synthesize', 'curate'])
    expect(starts(stage).map(({ round }) => round)).toEqual([1, 2, 3]);
  expect(starts('learn')).toHaveLength(1);
});

test('a silent job of a later round is looked up as one of that round', async () => {
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

test('too few proxies end the run before the student is started', async () => {
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

test('both samples are drawn at the same time', async () => {
  await run();
  for (const stage of ['teach', 'synthesize', 'learn']) await succeed(stage);
  await Promise.all(SAMPLES.map((stage) => token(stage)));
  expect(await finish('sample-student', 'sample-teacher', 'evaluate')).toEqual(PUBLISHED);
});

test('a silent job that still runs goes on being waited for, under a new token', async () => {
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

test('a job whose end nobody told is found over, and the run goes on', async () => {
  await run({ ReconcileJob: () => ({ over: true, output: { jobName: 'job-teach', seconds: 9 } }) });
  await token('teach');
  await pass(HEARTBEAT + 1);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(starts('teach')).toHaveLength(1);
});

test('a resumed run passes the stages that are done at once, without waiting for their jobs to speak', async () => {
  await run({
    StartJob: ({ stage }) => {
      if (stage === 'teach' || stage === 'synthesize') throw named('JobOver');
      return { jobName: `job-${stage}` };
    },
    ReconcileJob: ({ stage }) => ({ over: true, output: { jobName: `job-${stage}`, seconds: 9 } }),
  });
  // The clock stands still all along.
  expect(await finish('learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(starts('teach')).toHaveLength(1);
  expect(calls.filter(({ lambda }) => lambda === 'ReconcileJob').map(({ input }) => input.stage)).toEqual([
    'teach',
    'synthesize',
  ]);
});

test('a job that is found failed in a way worth another try is started again', async () => {
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

test('a busy quota is waited out', async () => {
  await run();
  await fail('teach', 'QuotaBusy');
  // With full jitter the wait is anything up to the five minutes of the settings.
  await pass(300);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test('a training whose time ran out is taken up at once by the next attempt', async () => {
  await run();
  await fail('teach', 'JobOutOfTime', 'The job ended as MaxRuntimeExceeded');
  await pass(1);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

test.each([
  ['OutOfMemory', 'the trainer says: 24 GiB are not enough'],
  ['JobFailed', 'ValueError in the container'],
  ['QuotaZero', 'ask for a quota'],
])('%s ends the run at once, with the reason that end-run puts in words', async (error, cause) => {
  await run();
  await fail('teach', error, cause);
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', error, `told: ${cause}`]);
  expect(calls.at(-1)).toEqual({
    lambda: 'EndRun',
    input: { runId: 'dog-1', error: { Error: error, Cause: cause } },
  });
  expect(starts('teach')).toHaveLength(1);
  expect(starts('synthesize')).toEqual([]);
});

test('rejected photos end the run before any job is started', async () => {
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

test('a job found overdue ends the run', async () => {
  await run({
    ReconcileJob: () => {
      throw named('StageTimedOut', 'it was stopped');
    },
  });
  await token('teach');
  await pass(HEARTBEAT + 1);
  expect((await cloud.ended(arn)).error).toBe('StageTimedOut');
});

test('the error of one sample ends the run under its own name', async () => {
  await run();
  for (const stage of ['teach', 'synthesize', 'learn']) await succeed(stage);
  await token('sample-teacher');
  await fail('sample-student', 'ModelMismatch', 'another student');
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual([
    'FAILED',
    'ModelMismatch',
    'told: another student',
  ]);
  expect(calls.filter(({ lambda }) => lambda === 'EndRun')).toHaveLength(1);
});

test('when even end-run fails, the first error is still the one that is told', async () => {
  await run({
    EndRun: () => {
      throw named('Error', 'no table');
    },
  });
  await fail('teach', 'TrainingDiverged', 'loss is NaN');
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', 'TrainingDiverged', 'loss is NaN']);
});

test('a chunk that stays missing ends the run after three more tries', async () => {
  await run();
  await succeed('teach');
  for (let attempt = 1; attempt <= 4; attempt++) {
    await fail('synthesize', 'ChunksMissing', 'one is missing', attempt);
    if (attempt < 4) await pass(60);
  }
  expect((await cloud.ended(arn)).error).toBe('ChunksMissing');
  expect(starts('synthesize')).toHaveLength(4);
});
