/** The end of a failed run: the failure path of the synthesized machine, and what a redrive does. */
import { RedriveExecutionCommand, SendTaskFailureCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { named, until } from '../local/states/harness.ts';
import {
  arn,
  calls,
  cloud,
  definition,
  FIRST,
  fail,
  finish,
  INPUT,
  type Lambda,
  messageOf,
  PUBLISHED,
  pass,
  run,
  SAMPLES,
  starts,
  succeed,
  token,
} from './scripted-run.ts';
import { removeTemporary } from './synthesize.ts';

afterEach(() => cloud.close());
afterAll(removeTemporary);

test('reports the first error even if end-run fails', async () => {
  await run({
    EndRun: () => {
      throw named('Sandbox.Timedout', 'out of time');
    },
  });
  await fail('teach', 'TrainingDiverged', 'loss is NaN');
  // A crash is retried once.
  await pass(2);
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', 'TrainingDiverged', 'loss is NaN']);
});

test('a timeout, which has no cause, keeps its name even if end-run fails', async () => {
  await run({
    PlanRun: () => new Promise(() => {}),
    EndRun: () => {
      throw named('Sandbox.Timedout', 'out of time');
    },
  });
  await until(() => calls.length === 1);
  await pass(timeoutOf('Plan'));
  await pass(2);
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', 'States.Timeout', '']);
  expect(calls.map(({ lambda }) => lambda)).toEqual(['PlanRun', 'EndRun', 'EndRun']);
  expect(calls[1]?.input.error).toEqual({ Error: 'States.Timeout', Cause: '' });
});

test('a failure without name and cause ends the run even if end-run fails', async () => {
  await run({
    EndRun: () => {
      throw named('Sandbox.Timedout', 'out of time');
    },
  });
  await cloud.sfn.send(new SendTaskFailureCommand({ taskToken: await token('teach') }));
  await pass(2);
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, ended.cause]).toEqual(['FAILED', 'States.TaskFailed', '']);
  expect(calls.at(-1)?.input.error).toEqual({ Error: null, Cause: null });
});

const redrive = () => cloud.sfn.send(new RedriveExecutionCommand({ executionArn: arn }));
const executionsOf = (lambda: Lambda) =>
  calls.filter((call) => call.lambda === lambda).map(({ input }) => input.execution);

test('a redrive of a run that failed runs the pipeline again, with the input of the execution', async () => {
  await run();
  await fail('teach', 'QuotaTooLow', 'ask for more');
  expect((await cloud.ended(arn)).error).toBe('QuotaTooLow');
  await cloud.clock.advance(60);
  await redrive();
  expect(await token('teach', 2)).toEqual(expect.any(String));
  const again = { name: INPUT.runId, begunAt: expect.any(String), redrives: 1 };
  expect(executionsOf('PlanRun')).toEqual([FIRST, again]);
  expect(Date.parse(executionsOf('PlanRun')[1].begunAt)).toBeGreaterThan(
    Date.parse(executionsOf('PlanRun')[0].begunAt) + 59_000,
  );
  expect(calls.findLast(({ lambda }) => lambda === 'PlanRun')?.input).toMatchObject(INPUT);
  expect(calls.filter(({ lambda }) => lambda === 'EndRun').map(({ input }) => input.redriven)).toEqual([
    false,
    true,
  ]);
  await succeed('teach', 2);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(executionsOf('PublishRun')).toEqual([again]);
});

test('a redrive of a run that fails again ends it again, and can be redriven again', async () => {
  await run();
  await fail('teach', 'OutOfMemory', 'once');
  await cloud.ended(arn);
  await redrive();
  await fail('teach', 'TrainingDiverged', 'twice', 2);
  const ended = await cloud.ended(arn);
  expect([ended.status, ended.error, messageOf(ended)]).toEqual([
    'FAILED',
    'TrainingDiverged',
    'explained: twice',
  ]);
  await redrive();
  await succeed('teach', 3);
  expect(await finish('synthesize', 'learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
  expect(executionsOf('PlanRun').map(({ redrives }) => redrives)).toEqual([0, 1, 2]);
});

test('a redrive of a run that was stopped continues in its stage, and says so to start-job', async () => {
  await run();
  await succeed('teach');
  await token('synthesize');
  await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
  expect((await cloud.ended(arn)).status).toBe('ABORTED');
  await redrive();
  await succeed('synthesize', 2);
  expect(starts('synthesize').map(({ execution }) => execution.redrives)).toEqual([0, 1]);
  expect(new Set(starts('synthesize').map(({ taskToken }) => taskToken)).size).toBe(2);
  expect(starts('teach')).toHaveLength(1);
  expect(executionsOf('PlanRun')).toHaveLength(1);
  expect(await finish('learn', ...SAMPLES, 'evaluate')).toEqual(PUBLISHED);
});

/** The limit of a state of the pipeline, in seconds. */
function timeoutOf(state: string): number {
  const [{ States: pipeline }] = definition.States.Run.Branches;
  return pipeline[state].TimeoutSeconds;
}
