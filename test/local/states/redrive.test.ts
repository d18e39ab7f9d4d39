import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ListExecutionsCommand,
  RedriveExecutionCommand,
  SendTaskSuccessCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { Harness, named, until } from './harness.ts';
import { done, pass, task, waiting } from './shapes.ts';

let cloud: Harness;
let tokens: string[];
/** The names with which the function was called, in order. */
let calls: string[];
/** The names for which the function fails. */
let broken: Set<string>;

beforeEach(async () => {
  tokens = [];
  calls = [];
  broken = new Set();
  cloud = await new Harness({
    f: ({ name, token }) => {
      calls.push(name);
      if (token) tokens.push(token);
      if (broken.has(name)) throw named('Broken', name);
      return name;
    },
  }).open();
});
afterEach(() => cloud.close());

const work = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  [name]: task({
    Arguments: { FunctionName: 'f', Payload: { name } },
    Output: '{% $states.result.Payload %}',
    ...more,
  }),
});
const job = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  [name]: waiting({
    Arguments: { FunctionName: 'f', Payload: { name, token: '{% $states.context.Task.Token %}' } },
    ...more,
  }),
});
const redrive = (executionArn: string, clientToken?: string) =>
  cloud.sfn.send(new RedriveExecutionCommand({ executionArn, clientToken }));
const next = (Next: string): Record<string, unknown> => ({ End: undefined, Next });
const outputOf = async (arn: string): Promise<unknown> => {
  const { status, output, error, cause } = await cloud.ended(arn);
  if (status !== 'SUCCEEDED') throw new Error(`${status}: ${error}: ${cause}`);
  return JSON.parse(output ?? '');
};

describe('a redrive', () => {
  it('continues from the state that failed, with its input and the variables', async () => {
    broken.add('Second');
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
    broken.clear();
    await cloud.clock.advance(60);
    const { redriveDate } = await redrive(arn);
    expect(redriveDate).toEqual(new Date(cloud.clock.now()));
    expect(await outputOf(arn)).toEqual({ in: 'First', kept: 7 });
    expect(calls).toEqual(['First', 'Second', 'Second']);
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

  it('has all retries again, and says in the context how often it came', async () => {
    broken.add('A');
    const arn = await cloud.start({
      ...work('A', {
        Retry: [{ ErrorEquals: ['Broken'], IntervalSeconds: 1, MaxAttempts: 1 }],
        Output: '{% $states.context.Execution %}',
      }),
    });
    const retried = async (count: number): Promise<void> => {
      await until(() => calls.length === count && cloud.clock.nextIn !== undefined);
      await cloud.clock.advance(1);
    };
    await retried(1);
    expect((await cloud.ended(arn)).status).toBe('FAILED');
    await redrive(arn);
    await retried(3);
    expect((await cloud.ended(arn)).status).toBe('FAILED');
    expect(calls).toHaveLength(4);
    broken.clear();
    await redrive(arn);
    expect(await outputOf(arn)).toMatchObject({
      Id: arn,
      RedriveCount: 2,
      RedriveTime: new Date(cloud.clock.now()).toISOString(),
    });
  });

  it('continues the branches that did not succeed, and no other', async () => {
    broken.add('Bad');
    const arn = await cloud.start({
      P: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'Good', States: work('Good') },
          {
            StartAt: 'Before',
            States: { ...work('Before', next('Bad')), ...work('Bad', next('After')), ...work('After') },
          },
          { StartAt: 'Long', States: job('Long') },
        ],
        End: true,
      },
    });
    await until(() => tokens.length === 1);
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'Broken' });
    broken.clear();
    await redrive(arn);
    await until(() => tokens.length === 2);
    // The token of the attempt before is as void as after any other end of its state.
    await expect(
      cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: tokens[0], output: '1' })),
    ).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: tokens[1], output: '"long"' }));
    expect(await outputOf(arn)).toEqual(['Good', 'After', 'long']);
    expect(calls.filter((name) => name === 'Good')).toHaveLength(1);
    expect(calls.filter((name) => name === 'Before')).toHaveLength(1);
    expect(calls.filter((name) => name === 'Bad')).toHaveLength(2);
    expect((await cloud.types(arn)).filter((type) => type === 'ParallelStateStarted')).toHaveLength(1);
  });

  it('continues inside nested branches, with their own variables', async () => {
    broken.add('Deep');
    const deep = work('Deep', { Output: '{% [$outer, $own, $states.input] %}' });
    const inner = {
      Inner: {
        Type: 'Parallel',
        Branches: [
          {
            StartAt: 'Set',
            States: { Set: pass({ Assign: { own: 2 }, Output: 3, ...next('Deep') }), ...deep },
          },
          { StartAt: 'Fine', States: work('Fine') },
        ],
        End: true,
      },
    };
    const arn = await cloud.start({
      Start: pass({ Assign: { outer: 1 }, ...next('Outer') }),
      Outer: { Type: 'Parallel', Branches: [{ StartAt: 'Inner', States: inner }], End: true },
    });
    expect((await cloud.ended(arn)).error).toBe('Broken');
    broken.clear();
    await redrive(arn);
    expect(await outputOf(arn)).toEqual([[[1, 2, 3], 'Fine']]);
    expect(calls.filter((name) => name === 'Deep')).toHaveLength(2);
  });

  it('continues the iterations that did not succeed, and no other', async () => {
    broken.add('b');
    const arn = await cloud.start(
      {
        M: {
          Type: 'Map',
          Items: '{% $states.input %}',
          MaxConcurrency: 1,
          ItemProcessor: {
            StartAt: 'I',
            States: {
              I: task({
                Arguments: { FunctionName: 'f', Payload: { name: '{% $states.input %}' } },
                Output: '{% $states.context.Map.Item.Value & $states.result.Payload %}',
              }),
            },
          },
          End: true,
        },
      },
      ['a', 'b', 'c'],
    );
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'Broken' });
    broken.clear();
    await redrive(arn);
    expect(await outputOf(arn)).toEqual(['aa', 'bb', 'cc']);
    expect(calls).toEqual(['a', 'b', 'b', 'c']);
    const types = await cloud.types(arn);
    expect(types.filter((type) => type === 'MapIterationStarted')).toHaveLength(3);
    expect(types.filter((type) => type === 'MapIterationSucceeded')).toHaveLength(3);
  });

  it('runs all branches again if their results were too long together', async () => {
    const half = { Output: "{% $pad('', 140000, 'x') %}" };
    const arn = await cloud.start({
      P: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'A', States: work('A', half) },
          { StartAt: 'B', States: work('B', half) },
        ],
        End: true,
      },
    });
    expect((await cloud.ended(arn)).error).toBe('States.DataLimitExceeded');
    await redrive(arn);
    expect((await cloud.ended(arn)).error).toBe('States.DataLimitExceeded');
    expect([...calls].sort()).toEqual(['A', 'A', 'B', 'B']);
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
    await redrive(arn);
    await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
    const types = (await cloud.types(arn)).filter((type) => type.startsWith('PassState'));
    const alternating = types.map((_, index) => (index % 2 === 0 ? 'PassStateEntered' : 'PassStateExited'));
    expect(types).toEqual(alternating);
  });

  it('enters a Fail state again and fails again', async () => {
    const arn = await cloud.start({ A: pass(next('F')), F: { Type: 'Fail', Error: 'No' } });
    await cloud.ended(arn);
    await redrive(arn);
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
    await until(() => tokens.length === 1);
    await end(arn);
    expect(await cloud.describe(arn)).toMatchObject({ status, redriveStatus: 'REDRIVABLE' });
    await redrive(arn);
    const running = await cloud.describe(arn);
    expect(running.status).toBe('RUNNING');
    expect(running.stopDate).toBeUndefined();
    await until(() => tokens.length === 2);
    await cloud.clock.advance(99);
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    await cloud.clock.advance(1);
    expect((await cloud.describe(arn)).status).toBe('TIMED_OUT');
  });

  it('continues an execution that the end of the service interrupted', async () => {
    const arn = await cloud.start({ ...work('First', next('A')), ...job('A') });
    await until(() => tokens.length === 1);
    await cloud.suspend();
    await cloud.open();
    expect(await cloud.describe(arn)).toMatchObject({ status: 'ABORTED', redriveStatus: 'REDRIVABLE' });
    await redrive(arn);
    await until(() => tokens.length === 2);
    await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: tokens[1], output: '"done"' }));
    expect(await outputOf(arn)).toBe('done');
    expect(calls).toEqual(['First', 'A', 'A']);
  });

  it('is published like a start, with the count and the date', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await cloud.ended(arn);
    await cloud.clock.advance(60);
    await redrive(arn);
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

describe('RedriveExecution', () => {
  it.each([
    ['RUNNING', job('A')],
    ['SUCCEEDED', { A: done }],
  ])('refuses an execution that is %s', async (status, states) => {
    const arn = await cloud.start(states);
    await until(async () => (await cloud.describe(arn)).status === status);
    await expect(redrive(arn)).rejects.toMatchObject({
      name: 'ExecutionNotRedrivable',
      message: `Execution is ${status} and cannot be redriven`,
    });
  });

  it('refuses an execution that ended more than 14 days ago', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await cloud.ended(arn);
    await cloud.clock.advance(14 * 24 * 3600);
    expect((await cloud.describe(arn)).redriveStatus).toBe('REDRIVABLE');
    await cloud.clock.advance(1);
    await expect(redrive(arn)).rejects.toMatchObject({
      name: 'ExecutionNotRedrivable',
      message: 'Execution redrivable period exceeded',
    });
    expect(await cloud.describe(arn)).toMatchObject({
      redriveStatus: 'NOT_REDRIVABLE',
      redriveStatusReason: 'Execution redrivable period exceeded',
    });
  });

  it('refuses an execution whose record does not say where it ended', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await cloud.ended(arn);
    await cloud.suspend();
    const file = join(cloud.dataDir, 'executions', 'machine-0', 'one.json');
    const { progress: _, ...record } = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify(record));
    await cloud.open();
    await expect(redrive(arn)).rejects.toMatchObject({
      name: 'ExecutionNotRedrivable',
      message: 'Execution was started before the launch of RedriveExecution',
    });
  });

  it('does nothing a second time with the same client token', async () => {
    const arn = await cloud.start(job('A'));
    await until(() => tokens.length === 1);
    await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
    const first = await redrive(arn, 'again');
    await cloud.clock.advance(60);
    expect((await redrive(arn, 'again')).redriveDate).toEqual(first.redriveDate);
    await expect(redrive(arn, 'another')).rejects.toMatchObject({ name: 'ExecutionNotRedrivable' });
    expect((await cloud.describe(arn)).redriveCount).toBe(1);
  });

  it('refuses an execution that does not exist', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await expect(redrive(`${arn}x`)).rejects.toMatchObject({ name: 'ExecutionDoesNotExist' });
    await expect(redrive('x')).rejects.toMatchObject({ name: 'InvalidArn' });
  });
});
