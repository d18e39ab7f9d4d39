/** The end of a stack: its runs and jobs really run, and none of them may go on. */
import { DescribeExecutionCommand } from '@aws-sdk/client-sfn';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { handler } from '../../../lambdas/stop-jobs/handler.ts';
import { createTrainingJob, stopJob } from '../../../lib/aws/jobs.ts';
import { Bench } from '../bench.ts';
import { invoke } from '../custom-resources.ts';
import { JOB_PREFIX, jobRuns, jobStatus } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);

/** Starts a job of a run that hangs until somebody stops it. */
async function hang(runId: string): Promise<string> {
  bench.control(`${JOB_PREFIX}${runId}-teach-a1`, { hang: true });
  const { jobName } = await startJob({ runId, stage: 'teach', taskToken: 'nobody waits' });
  await jobRuns(jobName);
  return jobName;
}

/** Starts a job that belongs to no run, by the request of one that does. */
async function hangWithoutRun(jobName: string): Promise<string> {
  const [request = {}] = bench.gate.called('CreateTrainingJob').slice(-1);
  bench.control(jobName, { hang: true });
  await createTrainingJob(bench.context, { ...request, TrainingJobName: jobName });
  await jobRuns(jobName);
  return jobName;
}

/** Starts an execution under the name of a run. @returns its ARN, and that of its machine */
async function execute(runId: string): Promise<{ execution: string; StateMachineArn: string }> {
  const execution = await bench.startWaiting(runId, JSON.stringify({ runId }));
  const StateMachineArn = execution.replace(':execution:', ':stateMachine:').replace(/:[^:]+$/, '');
  return { execution, StateMachineArn };
}

const statusOf = async (executionArn: string) =>
  bench.states.sfn.send(new DescribeExecutionCommand({ executionArn }));

test('a deletion stops the runs and every job of the stack, and no job of another one', async () => {
  const runId = await bench.plan('rex');
  const { execution, StateMachineArn } = await execute(runId);
  const ours = [await hang(runId), await hangWithoutRun(`${JOB_PREFIX}import-sdxl-1`)];
  const other = await hangWithoutRun('another-stack-teach-a1');
  const properties = { StateMachineArn, JobPrefix: JOB_PREFIX };

  expect(await invoke(handler, 'Create', properties)).toMatchObject({ Status: 'SUCCESS' });
  expect(await invoke(handler, 'Update', properties, properties)).toMatchObject({ Status: 'SUCCESS' });
  expect(await jobStatus(ours[0] ?? '')).toBe('InProgress');

  expect(await invoke(handler, 'Delete', properties)).toMatchObject({ Status: 'SUCCESS' });
  for (const job of ours) expect(await jobStatus(job)).toBe('Stopped');
  expect(await jobStatus(other)).toBe('InProgress');
  expect(await statusOf(execution)).toMatchObject({
    status: 'ABORTED',
    error: 'Interrupted',
    cause: expect.stringMatching(/The stack was deleted during the run\. What to do: /),
  });
  await stopJob(bench.context, { kind: 'training', jobName: other });
}, 60_000);

test('a replaced state machine ends with its own runs and their jobs only', async () => {
  const runId = await bench.plan('old');
  const { execution, StateMachineArn } = await execute(runId);
  const job = await hang(runId);
  const kept = await hangWithoutRun(`${JOB_PREFIX}import-sdxl-2`);
  const before = { StateMachineArn, JobPrefix: JOB_PREFIX };
  const after = { ...before, StateMachineArn: `${StateMachineArn}-new` };
  expect(await invoke(handler, 'Update', after, before)).toMatchObject({ Status: 'SUCCESS' });
  expect([await jobStatus(job), await jobStatus(kept)]).toEqual(['Stopped', 'InProgress']);
  expect(await statusOf(execution)).toMatchObject({ status: 'ABORTED' });

  // The new machine does not exist, as after a deployment that failed.
  expect(await invoke(handler, 'Delete', after)).toMatchObject({ Status: 'SUCCESS' });
  expect(await jobStatus(kept)).toBe('Stopped');
}, 60_000);

test('a job that goes on makes the deletion fail with its name, and a second deletion stops it', async () => {
  const { StateMachineArn } = await execute('deaf-00000000');
  const job = await hangWithoutRun(`${JOB_PREFIX}import-sdxl-3`);
  bench.gate.refuseNext('StopTrainingJob', { name: 'AccessDeniedException', message: `may not stop ${job}` });
  const properties = { StateMachineArn, JobPrefix: JOB_PREFIX };
  const failed = await invoke(handler, 'Delete', properties);
  expect(failed).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining(job) });
  expect(await invoke(handler, 'Delete', properties)).toMatchObject({ Status: 'SUCCESS' });
  expect(await jobStatus(job)).toBe('Stopped');
}, 60_000);
