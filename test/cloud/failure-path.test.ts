/** The end of a failed run: the failure path of the synthesized machine, and what a redrive does. */
import { RedriveExecutionCommand, SendTaskFailureCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { named, until } from '../local/states/harness.ts';
import {
  arn,
  calls,
  cloud,
  definition,
  fail,
  finish,
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
