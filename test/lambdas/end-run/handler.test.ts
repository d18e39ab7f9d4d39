/** The failure path: jobs that really run are stopped, and the notices are read from a queue behind the topic. */
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { handler as completeJob } from '../../../lambdas/complete-job/handler.ts';
import { type EndRunInput, handler } from '../../../lambdas/end-run/handler.ts';
import { handler as planRun } from '../../../lambdas/plan-run/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { finishRun, listJobs, readRun } from '../../../lib/aws/table.ts';
import { chunkName, keys } from '../../../lib/core/keys.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { Bench, BUCKET, REQUEST } from '../bench.ts';
import { jobEnd, jobRuns, jobStatus } from '../jobs.ts';

type StatusEvent = Exclude<Parameters<typeof handler>[0], EndRunInput>;

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);
beforeEach(() => bench.control('serve', {}));

const DIVERGED = { Error: 'TrainingDiverged', Cause: 'The loss is NaN. What to do: lower learningRate.' };

/** Calls as the state machine does. @returns what its execution then fails of */
async function failing(input: EndRunInput): Promise<{ error: string; cause: string }> {
  return handler(input).then(
    () => {
      throw new Error('the execution went on');
    },
    (thrown: Error) => ({ error: thrown.name, cause: thrown.message }),
  );
}

/** Has a job hang until somebody stops it. */
async function hang(runId: string, stage: JobStage): Promise<string> {
  bench.control(`proxytune-${runId}-${stage}-a1`, { hang: true });
  bench.control('serve', { hang: true });
  const { jobName } = await startJob({ runId, stage, taskToken: 'nobody waits' });
  await jobRuns(jobName);
  return jobName;
}

/** An end as the state machine's service tells it of an execution that really ended so. */
async function event(runId: string, detail: object, name = runId): Promise<StatusEvent> {
  const input = JSON.stringify({ runId, bucket: BUCKET, subject: 'x', key: 'k', version: '' });
  const executionArn = await bench.startWaiting(name, input);
  await bench.states.sfn.send(new StopExecutionCommand({ executionArn }));
  const emitted = bench.states.events.findLast(({ detail: { name: of } }) => of === name);
  return {
    ...emitted,
    // The bench's machine lives on a clock of its own.
    detail: { ...emitted?.detail, stopDate: Date.now(), ...detail },
  } as unknown as StatusEvent;
}

/** Starts a job of a stage that SageMaker refuses. @returns no name */
async function refused(runId: string, stage: 'learn'): Promise<string> {
  await bench.put(`${keys.picturesOfAttempt(runId, 'synthesize', 1)}${chunkName(0)}.out`, 'a proxy');
  bench.gate.refuseNext('CreateTrainingJob', { name: 'ValidationException', message: 'no such role' });
  await expect(hang(runId, stage)).rejects.toMatchObject({ name: 'JobRefused' });
  return '';
}

test('what still runs is stopped, and the reason is recorded and sent, with a remedy', async () => {
  const runId = await bench.plan('rex', { ...REQUEST, notify: 'owner@example.com' });
  await bench.finish(runId, 'teach');
  const running = [await hang(runId, 'synthesize'), await refused(runId, 'learn')];
  expect(await failing({ runId, error: DIVERGED })).toEqual({
    error: 'TrainingDiverged',
    cause: DIVERGED.Cause,
  });
  await jobEnd(running[0] ?? '');
  expect(await jobStatus(running[0] ?? '')).toBe('Stopped');
  expect(await listJobs(bench.context, runId)).toEqual([
    expect.objectContaining({ stage: 'teach', state: 'SUCCEEDED' }),
    expect.objectContaining({ stage: 'synthesize', state: 'FAILED', reported: true, error: 'JobStopped' }),
    // It never ran, and nothing is to be stopped.
    expect.objectContaining({ stage: 'learn', state: 'FAILED', error: 'JobRefused' }),
  ]);
  expect(await readRun(bench.context, runId)).toMatchObject({
    status: 'FAILED',
    error: 'TrainingDiverged',
    message: DIVERGED.Cause,
    endedAt: expect.any(String),
    reported: true,
  });
  const notices = await bench.notices(runId);
  expect(notices).toEqual([
    {
      subject: 'Proxytune: rex failed (TrainingDiverged)',
      text: expect.stringContaining(DIVERGED.Cause),
      attributes: { run: runId, status: 'FAILED', notify: 'owner@example.com' },
    },
  ]);
  // The stopped job has the reason too; the user is not notified of it as a failure of its own.
  expect(await completeJob(await bench.lastEvent(running[0] ?? ''))).toEqual({ answered: false });
});

test('both jobs of a stage that samples are stopped', async () => {
  const runId = await bench.plan('pair');
  await bench.finish(runId, 'teach');
  await bench.finish(runId, 'synthesize');
  await bench.finish(runId, 'learn');
  const running = [await hang(runId, 'sample-teacher'), await hang(runId, 'sample-student')];
  await failing({ runId, error: DIVERGED });
  for (const job of running) {
    await jobEnd(job);
    expect(await jobStatus(job)).toBe('Stopped');
  }
});

test('a cause in Lambda’s JSON is reported as its own message', async () => {
  const runId = await bench.plan('wrapped');
  const Cause = JSON.stringify({
    errorType: 'OverBudget',
    errorMessage: 'Too expensive. What to do: save.',
    trace: [],
  });
  const { cause } = await failing({ runId, error: { Error: 'OverBudget', Cause } });
  expect(cause).toBe('Too expensive. What to do: save.');
});

test('a call that AWS refuses to a lambda is reported under a name of ours', async () => {
  const input = await bench.upload('refused');
  const { name, message } = await planRun({ ...input, key: 'subjects/refused/gone.json' }).then(
    () => new Error('it was not refused'),
    (error: Error) => error,
  );
  expect(name).toMatch(/^NoSuch/);
  const Cause = JSON.stringify({ errorType: name, errorMessage: message, trace: [] });
  await failing({ runId: input.runId, error: { Error: name, Cause } });
  expect(await readRun(bench.context, input.runId)).toMatchObject({
    status: 'FAILED',
    error: 'StepFailed',
    message: expect.stringMatching(/^NoSuch\w+: .* What to do: look at the log of the lambda/),
  });
});

test('the machine’s event after its own failure path sends nothing again', async () => {
  const runId = await bench.plan('caught');
  const { error, cause } = await failing({ runId, error: DIVERGED });
  const before = await readRun(bench.context, runId);
  await handler(await event(runId, { status: 'FAILED', error, cause }));
  expect(await readRun(bench.context, runId)).toEqual(before);
  expect(await bench.notices(runId)).toHaveLength(1);
});

test('a notice that could not be sent is sent by the next call', async () => {
  const runId = await bench.plan('mute');
  const topic = process.env.TOPIC_ARN;
  process.env.TOPIC_ARN = `${topic}-gone`;
  // The first error is not lost over this one.
  expect(await failing({ runId, error: DIVERGED })).toEqual({
    error: DIVERGED.Error,
    cause: DIVERGED.Cause,
  });
  process.env.TOPIC_ARN = topic;
  expect(await readRun(bench.context, runId)).toMatchObject({
    status: 'FAILED',
    warning: expect.stringMatching(/^The end could not be published/),
  });
  const failed = await event(runId, { status: 'FAILED', error: DIVERGED.Error, cause: DIVERGED.Cause });
  await handler(failed);
  await handler(failed);
  expect(await bench.notices(runId)).toHaveLength(1);
});

test('an execution that was aborted stops its job and is reported as stopped', async () => {
  const runId = await bench.plan('aborted');
  const running = await hang(runId, 'teach');
  await handler(await event(runId, { status: 'ABORTED' }));
  await jobEnd(running);
  expect(await jobStatus(running)).toBe('Stopped');
  expect(await readRun(bench.context, runId)).toMatchObject({ status: 'STOPPED', error: 'Interrupted' });
  expect(await bench.notices(runId)).toMatchObject([
    { text: expect.stringContaining('What to do: '), attributes: { status: 'STOPPED' } },
  ]);
});

test.each([
  ['TIMED_OUT', 'States.Timeout'],
  ['FAILED', 'States.Runtime'],
])('an execution that %s without an error of its own is reported as %s', async (status, error) => {
  const runId = await bench.plan('nameless');
  await handler(await event(runId, { status, error: null, cause: null }));
  expect(await readRun(bench.context, runId)).toMatchObject({
    status: 'FAILED',
    error,
    message: expect.stringContaining('What to do: look at the execution'),
  });
});

test('an execution that resumes a run has another name and still ends that run', async () => {
  const runId = await bench.plan('resumed');
  await handler(await event(runId, { status: 'ABORTED', cause: 'by hand' }, `${runId}-r1`));
  expect(await readRun(bench.context, runId)).toMatchObject({ status: 'STOPPED', message: 'by hand' });
});

test('the late event of an execution does not stop the one that resumed its run', async () => {
  const upload = await bench.upload('taken-up');
  await planRun(upload);
  const { runId } = upload;
  await bench.put(`${keys.references(runId)}reference-00.png`, 'a photo');
  const late = await event(runId, { status: 'ABORTED', stopDate: Date.now() });
  await new Promise((resolve) => setTimeout(resolve, 5));
  await planRun({ ...upload, version: '' });
  const running = await hang(runId, 'teach');
  await handler(late);
  expect(await jobStatus(running)).toBe('InProgress');
  expect(await readRun(bench.context, runId)).toMatchObject({ status: 'RUNNING' });
  expect(await bench.notices(runId)).toEqual([]);
});

test('a failure that was never reported to the machine is history for a resumed run', async () => {
  const runId = await bench.plan('unreported');
  bench.control(`proxytune-${runId}-teach-a1`, { failure: 'OutOfMemory: 24 GiB were not enough' });
  const { jobName } = await startJob({ runId, stage: 'teach', taskToken: 'nobody waits' });
  await jobEnd(jobName);
  await completeJob(await bench.lastEvent(jobName));
  expect(await listJobs(bench.context, runId)).toMatchObject([{ state: 'FAILED', reported: false }]);
  await failing({ runId, error: { Error: 'States.Timeout' } });
  expect(await listJobs(bench.context, runId)).toMatchObject([
    { state: 'FAILED', reported: true, error: 'OutOfMemory' },
  ]);
  expect((await startJob({ runId, stage: 'teach', taskToken: 'x' })).jobName).toMatch(/-a2$/);
});

test('a run that is published stays so, whatever comes after', async () => {
  const runId = await bench.plan('published');
  await finishRun(bench.context, runId, {
    status: 'SUCCEEDED',
    endedAt: new Date().toISOString(),
    report: 's3://b/r',
    usd: 1,
  });
  await handler(await event(runId, { status: 'FAILED', error: 'States.Runtime' }));
  expect(await readRun(bench.context, runId)).toMatchObject({ status: 'SUCCEEDED' });
  expect(await bench.notices(runId)).toEqual([]);
});

test('a run that failed before it was recorded still becomes a complete record, and is reported', async () => {
  const runId = 'ghost-0a1b2c3d';
  await failing({ runId, error: { Error: 'Lambda.Unknown', Cause: 'out of memory' } });
  expect(await readRun(bench.context, runId)).toMatchObject({
    runId,
    subject: runId,
    status: 'FAILED',
    startedAt: expect.any(String),
    message: expect.stringContaining('What to do:'),
  });
  expect(await bench.notices(runId)).toHaveLength(1);
});
