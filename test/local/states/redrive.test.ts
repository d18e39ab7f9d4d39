import { ListExecutionsCommand, SendTaskSuccessCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { CallsHarness, job, next, work } from './calls-harness.ts';
import { until } from './harness.ts';
import { done, pass } from './shapes.ts';

let cloud: CallsHarness;

beforeEach(async () => {
  cloud = await new CallsHarness().open();
});
afterEach(() => cloud.close());

describe('a redrive', () => {
  it('continues from the state that failed, with its input and the variables', async () => {
    cloud.broken.add('Second');
    const arn = await cloud.start(
      {
        ...work('First', { ...next('Second'), Assign: { kept: '{% $states.input.x %}' } }),
        ...work('Second', { ...next('Last'), Output: '{% {"in": $states.input, "kept": $kept} %}' }),
        Last: done,
      },
      { x: 7 },
    );
    expect(await cloud.ended(arn)).toMatchObject({
      status: 'FAILED',
      error: 'Broken',
      redriveStatus: 'REDRIVABLE',
    });
    cloud.broken.clear();
    await cloud.clock.advance(60);
    const { redriveDate } = await cloud.redrive(arn);
    expect(redriveDate).toEqual(new Date(cloud.clock.now()));
    expect(await cloud.outputOf(arn)).toEqual({ in: 'First', kept: 7 });
    expect(cloud.calls).toEqual(['First', 'Second', 'Second']);
    const execution = await cloud.describe(arn);
    expect(execution).toMatchObject({
      redriveCount: 1,
      redriveDate,
      redriveStatus: 'NOT_REDRIVABLE',
      redriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven',
    });
    expect(execution.error).toBeUndefined();
    expect(execution.cause).toBeUndefined();
    const history = await cloud.history(arn);
    expect(history.slice(8).map(({ id, previousEventId, type }) => [id, previousEventId, type])).toEqual([
      [9, 8, 'TaskStarted'],
      [10, 9, 'TaskFailed'],
      [11, 10, 'ExecutionFailed'],
      [12, 11, 'ExecutionRedriven'],
      [13, 12, 'TaskScheduled'],
      [14, 13, 'TaskStarted'],
      [15, 14, 'TaskSucceeded'],
      [16, 15, 'TaskStateExited'],
      [17, 16, 'SucceedStateEntered'],
      [18, 17, 'SucceedStateExited'],
      [19, 18, 'ExecutionSucceeded'],
    ]);
    expect(history[11]?.executionRedrivenEventDetails).toEqual({ redriveCount: 1 });
    const { executions } = await cloud.sfn.send(
      new ListExecutionsCommand({ stateMachineArn: execution.stateMachineArn }),
    );
    expect(executions).toMatchObject([{ status: 'SUCCEEDED', redriveCount: 1, redriveDate }]);
  });

  it('has all retries again, and is counted in the context', async () => {
    cloud.broken.add('A');
    const arn = await cloud.start({
      ...work('A', {
        Retry: [{ ErrorEquals: ['Broken'], IntervalSeconds: 1, MaxAttempts: 1 }],
        Output: '{% $states.context.Execution %}',
      }),
    });
    const retried = async (count: number): Promise<void> => {
      await until(() => cloud.calls.length === count && cloud.clock.nextIn !== undefined);
      await cloud.clock.advance(1);
    };
    await retried(1);
    expect((await cloud.ended(arn)).status).toBe('FAILED');
    await cloud.redrive(arn);
    await retried(3);
    expect((await cloud.ended(arn)).status).toBe('FAILED');
    expect(cloud.calls).toHaveLength(4);
    cloud.broken.clear();
    await cloud.redrive(arn);
    expect(await cloud.outputOf(arn)).toMatchObject({
      Id: arn,
      RedriveCount: 2,
      RedriveTime: new Date(cloud.clock.now()).toISOString(),
    });
  });

  it('does not run a state again that was left just before the execution stopped', async () => {
    // The service answers calls between two states of such a loop only.
    const arn = await cloud.start({
      A: pass(next('B')),
      B: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'End' }], Default: 'A' },
      End: done,
    });
    await until(async () => (await cloud.types(arn)).length > 10);
    await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
    await cloud.redrive(arn);
    await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
    const types = (await cloud.types(arn)).filter((type) => type.startsWith('PassState'));
    const alternating = types.map((_, index) => (index % 2 === 0 ? 'PassStateEntered' : 'PassStateExited'));
    expect(types).toEqual(alternating);
  });

  it('enters a Fail state again and fails again', async () => {
    const arn = await cloud.start({ A: pass(next('F')), F: { Type: 'Fail', Error: 'No' } });
    await cloud.ended(arn);
    await cloud.redrive(arn);
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'No', redriveCount: 1 });
    expect((await cloud.types(arn)).slice(-3)).toEqual([
      'ExecutionRedriven',
      'FailStateEntered',
      'ExecutionFailed',
    ]);
  });

  it.each([
    [
      'was stopped',
      (arn: string) => cloud.sfn.send(new StopExecutionCommand({ executionArn: arn })),
      'ABORTED',
    ],
    ['timed out', () => cloud.clock.advance(100), 'TIMED_OUT'],
  ])('continues an execution that %s, whose time starts again', async (_, end, status) => {
    const arn = await cloud.start(job('A'), {}, { TimeoutSeconds: 100 });
    await until(() => cloud.tokens.length === 1);
    await end(arn);
    expect(await cloud.describe(arn)).toMatchObject({ status, redriveStatus: 'REDRIVABLE' });
    await cloud.redrive(arn);
    const running = await cloud.describe(arn);
    expect(running.status).toBe('RUNNING');
    expect(running.stopDate).toBeUndefined();
    await until(() => cloud.tokens.length === 2);
    await cloud.clock.advance(99);
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    await cloud.clock.advance(1);
    expect((await cloud.describe(arn)).status).toBe('TIMED_OUT');
  });

  it('continues an execution that the end of the service interrupted', async () => {
    const arn = await cloud.start({ ...work('First', next('A')), ...job('A') });
    await until(() => cloud.tokens.length === 1);
    await cloud.suspend();
    await cloud.open();
    expect(await cloud.describe(arn)).toMatchObject({ status: 'ABORTED', redriveStatus: 'REDRIVABLE' });
    await cloud.redrive(arn);
    await until(() => cloud.tokens.length === 2);
    await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: cloud.tokens[1], output: '"done"' }));
    expect(await cloud.outputOf(arn)).toBe('done');
    expect(cloud.calls).toEqual(['First', 'A', 'A']);
  });

  it('is published like a start, with the count and the date', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await cloud.ended(arn);
    await cloud.clock.advance(60);
    await cloud.redrive(arn);
    await cloud.ended(arn);
    await until(() => cloud.events.length === 4);
    const redriveDate = cloud.clock.now();
    expect(cloud.events.map(({ detail }) => detail)).toMatchObject([
      {
        status: 'RUNNING',
        redriveCount: 0,
        redriveDate: null,
        redriveStatus: 'NOT_REDRIVABLE',
        redriveStatusReason: 'Execution is RUNNING and cannot be redriven',
      },
      { status: 'FAILED', redriveCount: 0, redriveStatus: 'REDRIVABLE', redriveStatusReason: null },
      { status: 'RUNNING', redriveCount: 1, redriveDate, stopDate: null },
      { status: 'FAILED', redriveCount: 1, redriveDate },
    ]);
  });
});
