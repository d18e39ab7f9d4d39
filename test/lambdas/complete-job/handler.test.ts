/** Completing jobs: real machines wait for real jobs, and SageMaker's events are delivered one by one. */
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { DescribeModelCommand } from '@aws-sdk/client-sagemaker';
import { handler } from '../../../lambdas/complete-job/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { dynamo, sagemaker } from '../../../lib/aws/clients.ts';
import { readOutcome, recordOf } from '../../../lib/aws/outcomes.ts';
import { finishJob, readJob, updateJob } from '../../../lib/aws/table.ts';
import { jobKey } from '../../../lib/core/jobs/records.ts';
import { keys } from '../../../lib/core/keys.ts';
import { jobName as nameOf } from '../../../lib/core/names.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench } from '../bench.ts';
import { JOB_PREFIX, jobEnd, jobRuns, jobStatus } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);
beforeEach(() => bench.control('serve', {}));

const name = (run: string, stage: JobStage = 'teach', attempt = 1) =>
  nameOf({ run, stage, attempt }, JOB_PREFIX);
const complete = async (jobName: string) => handler(await bench.lastEvent(jobName));
const record = (run: string, stage: JobStage = 'teach', attempt = 1) =>
  readJob(bench.context, { run, stage, attempt });
const status = async (arn: string) => (await bench.states.describe(arn)).status;

/** A run whose machine waits for the job of a stage that has ended, without any news of it. */
async function ended(subject: string, behaviour: object = {}) {
  const runId = await bench.plan(subject);
  const jobName = name(runId);
  bench.control(jobName, behaviour);
  const arn = await bench.walk(runId, 'teach');
  await jobEnd(jobName);
  return { runId, jobName, arn };
}

/** A run whose machine waits for its proxies, which are drawn as far as the model server let them be. */
async function drawn(subject: string, serve: object = {}) {
  const runId = await bench.plan(subject);
  await bench.finish(runId, 'teach');
  bench.control('serve', serve);
  const arn = await bench.walk(runId, 'synthesize');
  const jobName = name(runId, 'synthesize');
  await jobEnd(jobName);
  return { runId, jobName, arn };
}

test('an event of a running job sends a heartbeat, and no answer', async () => {
  const runId = await bench.plan('alive');
  const jobName = name(runId);
  bench.control(jobName, { hang: true });
  const arn = await bench.walk(runId, 'teach');
  await jobRuns(jobName);
  for (let beats = 0; beats < 3; beats += 1) {
    await bench.states.clock.advance(50);
    expect(await complete(jobName)).toEqual({ answered: false });
  }
  expect(await status(arn)).toBe('RUNNING');
  expect(await record(runId)).toMatchObject({ state: 'WAITING', reported: false });
  // The machine does listen: without another beat it gives up.
  await bench.states.clock.advance(61);
  expect(await bench.states.ended(arn)).toMatchObject({ error: 'States.Timeout' });
});

test('a job that succeeded answers the machine with its name and seconds', async () => {
  const { runId, jobName, arn } = await ended('good');
  expect(await complete(jobName)).toEqual({ answered: true });
  const { output, status: end } = await bench.states.ended(arn);
  expect(end).toBe('SUCCEEDED');
  expect(JSON.parse(output ?? '')).toEqual({ jobName, seconds: expect.any(Number) });
  const job = await record(runId);
  expect(job).toMatchObject({ state: 'SUCCEEDED', reported: true });
  expect(job?.seconds).toBeGreaterThan(0);
  // ml.m5.large lists at 0.115 USD an hour.
  expect(job?.usd).toBeCloseTo(((job?.seconds ?? 0) / 3600) * 0.115, 3);
});

test('an event delivered again, and again at once, answers once', async () => {
  const { jobName, arn } = await ended('repeated');
  const event = await bench.lastEvent(jobName);
  const answers = await Promise.all([handler(event), handler(event), handler(event)]);
  expect(answers.filter(({ answered }) => answered)).toHaveLength(1);
  const looks = bench.gate.called('DescribeTrainingJob').length;
  expect(await handler(event)).toEqual({ answered: false });
  // A reported job is not even described again: SageMaker takes few calls a second.
  expect(bench.gate.called('DescribeTrainingJob')).toHaveLength(looks);
  await bench.states.ended(arn);
  const types = await bench.states.types(arn);
  expect(types.filter((type) => type === 'TaskSucceeded')).toHaveLength(1);
});

test("a container's own error and message arrive in the machine", async () => {
  const failure = 'TrainingDiverged: The loss is NaN at step 7. What to do: lower learningRate.';
  const { runId, jobName, arn } = await ended('diverged', { failure });
  expect(await complete(jobName)).toEqual({ answered: true });
  expect(await bench.states.ended(arn)).toMatchObject({
    status: 'FAILED',
    error: 'TrainingDiverged',
    cause: expect.stringMatching(
      /^The loss is NaN at step 7\. What to do: lower learningRate\..*\(job .*-teach-a1\)$/,
    ),
  });
  expect(await record(runId)).toMatchObject({ state: 'FAILED', reported: true, error: 'TrainingDiverged' });
});

test('a failure without a name of ours names its log', async () => {
  const { jobName, arn } = await ended('odd', { failure: 'Segmentation fault' });
  await complete(jobName);
  const { error, cause } = await bench.states.ended(arn);
  expect(error).toBe('JobFailed');
  expect(cause).toMatch(/Segmentation fault.*What to do: read the log \(\/aws\/sagemaker\/TrainingJobs/);
});

test('a crash between storing and reporting is repaired by the next event', async () => {
  const { runId, jobName, arn } = await ended('crashed');
  const job = await record(runId);
  if (job === undefined) throw new Error('no record');
  const outcome = await readOutcome(bench.context, job);
  if (!outcome.over) throw new Error('the job goes on');
  await finishJob(
    bench.context,
    { run: runId, stage: 'teach', attempt: 1 },
    { ...recordOf(job, outcome), reported: false },
  );
  expect(await status(arn)).toBe('RUNNING');
  expect(await complete(jobName)).toEqual({ answered: true });
  expect((await bench.states.ended(arn)).status).toBe('SUCCEEDED');
  expect(await record(runId)).toMatchObject({ state: 'SUCCEEDED', reported: true });
});

test('an outcome that nothing waits for stays unreported, and start-job makes no other attempt', async () => {
  const { runId, jobName, arn } = await ended('late', { failure: 'OutOfMemory: 24 GiB were not enough' });
  await bench.states.clock.advance(61);
  expect((await bench.states.ended(arn)).error).toBe('States.Timeout');
  expect(await complete(jobName)).toEqual({ answered: false });
  expect(await record(runId)).toMatchObject({ state: 'FAILED', reported: false, error: 'OutOfMemory' });
  await expect(startJob({ runId, stage: 'teach', taskToken: 'new' })).rejects.toMatchObject({
    name: 'JobOver',
  });
});

/** A second state of the run whose start-job saw the job at work, a moment before it ended. */
async function walkJustBefore(runId: string): Promise<string> {
  const { functions } = bench.states;
  const { 'start-job': real } = functions;
  functions['start-job'] = ({ stage, taskToken }) =>
    updateJob(bench.context, { run: runId, stage, attempt: 1 }, { token: taskToken });
  try {
    return await bench.walk(runId, 'teach');
  } finally {
    functions['start-job'] = real ?? startJob;
  }
}

test('the token that came last is the one that is answered', async () => {
  const { jobName, arn, runId } = await ended('renewed');
  // The first state of the run gave up; a second one brings its own token to the same job.
  await bench.states.clock.advance(61);
  await bench.states.ended(arn);
  const second = await walkJustBefore(runId);
  expect(await complete(jobName)).toEqual({ answered: true });
  expect((await bench.states.ended(second)).status).toBe('SUCCEEDED');
});

test('a token that comes while the job is described is the one that is answered', async () => {
  const { jobName, arn, runId } = await ended('overtaken');
  const event = await bench.lastEvent(jobName);
  let second = '';
  const unwatch = bench.gate.before('DescribeTrainingJob', async () => {
    await bench.states.clock.advance(61);
    await bench.states.ended(arn);
    second = await walkJustBefore(runId);
  });
  const result = await handler(event);
  unwatch();
  expect(result).toEqual({ answered: true });
  expect((await bench.states.ended(second)).status).toBe('SUCCEEDED');
});

test.each([
  ['another product', { TrainingJobName: 'somebody-elses-job' }],
  ['a run that is not in the table', { TrainingJobName: 'proxytune-ghost-0a1b2c3d-teach-a1' }],
  ['nobody', {}],
])('an event about a job of %s is passed over', async (_whose, detail) => {
  const { jobName, arn } = await ended('bystander');
  const event = { ...(await bench.lastEvent(jobName)), detail };
  expect(await handler(event)).toEqual({ answered: false });
  expect(await status(arn)).toBe('RUNNING');
});

test('a run that another version planned, with fields that this one does not know, is answered all the same', async () => {
  const { runId, jobName, arn } = await ended('deployed');
  await bench.put(keys.plan(runId), '{"version": 2, "ofAnotherDeployment": true}');
  const { pk, sk } = jobKey({ run: runId, stage: 'teach', attempt: 1 });
  await dynamo().send(
    new UpdateItemCommand({
      TableName: 'ledger',
      Key: { pk: { S: pk }, sk: { S: sk } },
      UpdateExpression: 'SET ofAnotherDeployment = :it REMOVE instances, chunks, #round',
      ExpressionAttributeNames: { '#round': 'round' },
      ExpressionAttributeValues: { ':it': { BOOL: true } },
    }),
  );
  expect(await complete(jobName)).toEqual({ answered: true });
  expect((await bench.states.ended(arn)).status).toBe('SUCCEEDED');
  expect(await record(runId)).toMatchObject({
    state: 'SUCCEEDED',
    reported: true,
    ofAnotherDeployment: true,
  });
});

test('an event of an earlier attempt does not answer the next one', async () => {
  const { runId, jobName, arn } = await ended('older', { failure: 'CapacityLost' });
  const old = await bench.lastEvent(jobName);
  await handler(old);
  await bench.states.ended(arn);
  bench.control(name(runId, 'teach', 2), { hang: true });
  const second = await bench.walk(runId, 'teach');
  expect(await handler(old)).toEqual({ answered: false });
  expect(await status(second)).toBe('RUNNING');
  expect(await record(runId, 'teach', 2)).toMatchObject({ state: 'WAITING', reported: false });
});

describe('a transform', () => {
  test('that answered every chunk is a success, and its model is deleted', async () => {
    const { runId, jobName, arn } = await drawn('whole');
    expect(await complete(jobName)).toEqual({ answered: true });
    expect((await bench.states.ended(arn)).status).toBe('SUCCEEDED');
    expect(await record(runId, 'synthesize')).toMatchObject({ state: 'SUCCEEDED', chunks: 4 });
    await expect(sagemaker().send(new DescribeModelCommand({ ModelName: jobName }))).rejects.toMatchObject({
      message: expect.stringContaining('Could not find model'),
    });
  });

  test('that is Completed without one output is ChunksMissing', async () => {
    const { runId, jobName, arn } = await drawn('gappy');
    expect(await jobStatus(jobName)).toBe('Completed');
    await bench.delete(`${keys.picturesOfAttempt(runId, 'synthesize', 1)}chunk-0002.json.out`);
    await complete(jobName);
    expect(await bench.states.ended(arn)).toMatchObject({
      error: 'ChunksMissing',
      cause: expect.stringContaining('1 of 4 chunks have no output'),
    });
  });

  test('that failed names the chunk and the container’s message', async () => {
    const { jobName, arn } = await drawn('refusing', { refuse: [1] });
    await complete(jobName);
    const { error, cause } = await bench.states.ended(arn);
    expect(error).toBe('ShardInvalid');
    expect(cause).toContain('chunk 1 is refused');
  });

  test('that failed without a reason of SageMaker’s has the reason that its container stored', async () => {
    const { runId, jobName, arn } = await drawn('wordless', { refuse: [1], refusal: 'no' });
    await bench.put(
      keys.failureNote(runId, jobName),
      'OutOfMemory: The memory was not enough. What to do: less.',
    );
    await complete(jobName);
    const { error, cause } = await bench.states.ended(arn);
    expect(error).toBe('OutOfMemory');
    expect(cause).toContain('The memory was not enough. What to do: less.');
  });

  test('that failed although every chunk has its output is a success: an earlier attempt generated the rest', async () => {
    const { runId, jobName, arn } = await drawn('complete', { refuse: [1] });
    await bench.put(
      `${keys.picturesOfAttempt(runId, 'synthesize', 9)}chunk-0001.json.out`,
      'drawn elsewhere',
    );
    expect(await complete(jobName)).toEqual({ answered: true });
    expect((await bench.states.ended(arn)).status).toBe('SUCCEEDED');
  });
});
