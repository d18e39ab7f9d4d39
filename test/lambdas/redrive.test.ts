/** Redriven executions and the record of their run, which was over. The machine’s part is in test/cloud/failure-path.test.ts. */
import { type EndRunInput, handler as endRun } from '../../lambdas/end-run/handler.ts';
import { handler as planRun } from '../../lambdas/plan-run/handler.ts';
import { handler as publishRun } from '../../lambdas/publish-run/handler.ts';
import { handler as startJob } from '../../lambdas/start-job/handler.ts';
import { finishRun, listJobs, readRun, updateRun } from '../../lib/aws/table.ts';
import type { ExecutionIdentity } from '../../lib/core/jobs/executions.ts';
import { keys } from '../../lib/core/keys.ts';
import { Bench } from './bench.ts';
import { jobEnd, jobRuns, jobStatus } from './jobs.ts';

type StatusEvent = Exclude<Parameters<typeof endRun>[0], EndRunInput>;

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const FAILURE = { Error: 'TrainingDiverged', Cause: 'The loss is NaN. What to do: lower learningRate.' };
const record = (runId: string) => readRun(bench.context, runId);

/** An end as EventBridge tells it. */
const ended = (name: string, runId: string, status: string, stopDate: string, redriveCount = 0) =>
  ({
    detail: { name, status, input: JSON.stringify({ runId }), stopDate: Date.parse(stopDate), redriveCount },
  }) as unknown as StatusEvent;

/** A run that its execution planned and that hangs in its first job. */
async function running(subject: string) {
  const upload = await bench.upload(subject);
  const { runId } = upload;
  const execution = { name: runId, begunAt: at(0), redrives: 0 };
  await planRun({ ...upload, execution });
  await bench.put(`${keys.references(runId)}reference-00.png`, 'a photo');
  for (const attempt of [1, 2]) bench.control(`proxytune-${runId}-teach-a${attempt}`, { hang: true });
  const teach = (by: ExecutionIdentity) => startJob({ runId, stage: 'teach', taskToken: 'x', execution: by });
  const { jobName } = await teach(execution);
  await jobRuns(jobName);
  return {
    upload,
    runId,
    execution,
    redriven: { ...execution, begunAt: at(10), redrives: 1 },
    teach,
    jobName,
  };
}

test('an execution that was aborted and is redriven goes on with the run and its record', async () => {
  const { runId, teach, redriven, jobName } = await running('aborted');
  await endRun(ended(runId, runId, 'ABORTED', at(5)));
  expect(await record(runId)).toMatchObject({ status: 'STOPPED', reported: true });
  await jobEnd(jobName);
  expect((await teach(redriven)).jobName).toMatch(/-teach-a2$/);
  const run = await record(runId);
  expect(run).toMatchObject({ status: 'RUNNING', startedAt: at(0), begunAt: at(10), redrives: 1 });
  for (const field of ['endedAt', 'error', 'message', 'reported']) expect(run).not.toHaveProperty(field);
});

test('the late event of the abort does not stop what the redriven execution started', async () => {
  const { runId, teach, redriven, jobName } = await running('late');
  // Redriven before the event came: the record still says that the run goes on.
  expect((await teach(redriven)).jobName).toBe(jobName);
  await endRun(ended(runId, runId, 'ABORTED', at(5)));
  expect(await jobStatus(jobName)).toBe('InProgress');
  expect(await record(runId)).toMatchObject({ status: 'RUNNING', redrives: 1 });
  // Its own end does.
  await endRun(ended(runId, runId, 'ABORTED', at(15), 1));
  expect(await record(runId)).toMatchObject({ status: 'STOPPED' });
});

test('a failure after a redrive is recorded and reported again', async () => {
  const { runId, execution, redriven } = await running('again');
  await expect(endRun({ runId, error: FAILURE, execution })).rejects.toMatchObject({ name: FAILURE.Error });
  expect(await bench.notices(runId)).toHaveLength(1);
  // The redrive enters the state of end-run again, which lets the pipeline run again.
  await expect(
    endRun({ runId, error: FAILURE, execution: redriven, redriven: true }),
  ).resolves.toBeUndefined();
  const other = { Error: 'OutOfMemory', Cause: '24 GiB were not enough. What to do: less.' };
  await expect(endRun({ runId, error: other, execution: redriven })).rejects.toMatchObject({
    name: other.Error,
  });
  expect(await record(runId)).toMatchObject({ status: 'FAILED', error: 'OutOfMemory', redrives: 1 });
  expect(await bench.notices(runId)).toHaveLength(2);
});

test('a run that was redriven in its last state is published as a success', async () => {
  const { runId, redriven } = await running('published');
  await endRun(ended(runId, runId, 'ABORTED', at(5)));
  await expect(publishRun({ runId, execution: redriven })).rejects.toThrow('before it was evaluated');
  // It got as far as its jobs, so the record is open again.
  expect(await record(runId)).toMatchObject({ status: 'RUNNING', redrives: 1 });
});

test('an execution whose run another one continues is refused, and stops nothing of it', async () => {
  const { runId, teach, redriven, upload, execution } = await running('twice');
  await expect(endRun({ runId, error: FAILURE, execution })).rejects.toMatchObject({ name: FAILURE.Error });
  const second = { name: `${runId}-r1`, begunAt: at(6), redrives: 0 };
  await planRun({ ...upload, execution: second });
  await bench.put(`${keys.references(runId)}reference-00.png`, 'a photo');
  const { jobName } = await teach(second);
  await jobRuns(jobName);
  const refused = await planRun({ ...upload, execution: redriven }).then(
    () => new Error('it was not refused'),
    (error: Error) => error,
  );
  expect(refused).toMatchObject({
    name: 'RedriveRefused',
    message: expect.stringMatching(/continued by the execution .*-r1.*What to do: wait for the end/),
  });
  await expect(teach(redriven)).rejects.toMatchObject({ name: 'RedriveRefused' });
  const error = { Error: refused.name, Cause: refused.message };
  await expect(endRun({ runId, error, execution: redriven })).rejects.toMatchObject({
    name: 'RedriveRefused',
  });
  await endRun(ended(runId, runId, 'FAILED', at(11), 1));
  expect(await jobStatus(jobName)).toBe('InProgress');
  expect(await record(runId)).toMatchObject({ status: 'RUNNING', execution: second.name });
  // The other one's own end counts, whatever its name.
  await endRun(ended(second.name, runId, 'ABORTED', at(12)));
  expect(await record(runId)).toMatchObject({ status: 'STOPPED' });
});

test('an execution whose run another one has finished is refused', async () => {
  const { runId, redriven, teach } = await running('finished');
  await finishRun(bench.context, runId, { status: 'SUCCEEDED', endedAt: at(8), report: 's3://b/r', usd: 1 });
  await updateRun(bench.context, runId, { execution: `${runId}-r1` });
  await expect(teach(redriven)).rejects.toMatchObject({
    name: 'RedriveRefused',
    message: expect.stringContaining('was finished by the execution'),
  });
  expect(await record(runId)).toMatchObject({ status: 'SUCCEEDED', report: 's3://b/r' });
});

test('a job is not started for an execution whose run has ended since it began', async () => {
  const { runId, execution, teach } = await running('over');
  await endRun(ended(runId, runId, 'ABORTED', at(5)));
  await expect(teach(execution)).rejects.toMatchObject({ name: 'Interrupted' });
  expect(await listJobs(bench.context, runId)).toHaveLength(1);
  expect(await record(runId)).toMatchObject({ status: 'STOPPED' });
});
