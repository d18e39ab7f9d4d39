import { SendTaskSuccessCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { Harness, INVOKE, named, until, WAIT_FOR_TOKEN } from './harness.ts';

let cloud: Harness;
let tokens: string[];
let running: number;
let mostRunning: number;
let calls: unknown[];

beforeEach(async () => {
  tokens = [];
  calls = [];
  running = 0;
  mostRunning = 0;
  cloud = await new Harness({
    start: ({ token }) => {
      tokens.push(token);
    },
    reject: () => {
      throw named('PhotoRejected', 'too dark');
    },
    work: async (event) => {
      calls.push(event);
      mostRunning = Math.max(mostRunning, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      if (event === 'bad') throw named('BadItem');
      return event;
    },
  }).open();
});
afterEach(() => cloud.close());

const block = (states: Record<string, unknown>): unknown => ({
  StartAt: Object.keys(states)[0],
  States: states,
});
const waiting = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  [name]: {
    Type: 'Task',
    Resource: WAIT_FOR_TOKEN,
    Arguments: { FunctionName: 'start', Payload: { token: '{% $states.context.Task.Token %}' } },
    TimeoutSeconds: 1000,
    End: true,
    ...more,
  },
});

describe('Parallel', () => {
  it('passes the input to every branch and returns the outputs in order', async () => {
    const output = await cloud.output(
      {
        Both: {
          Type: 'Parallel',
          Branches: [
            block({
              Slow: {
                Type: 'Task',
                Resource: INVOKE,
                Arguments: { FunctionName: 'work', Payload: '{% $states.input %}' },
                Output: '{% $states.result.Payload.x %}',
                End: true,
              },
            }),
            block({ Quick: { Type: 'Pass', Output: '{% $states.input.x + 1 %}', End: true } }),
          ],
          Output: { all: '{% $states.result %}', in: '{% $states.input.x %}' },
          Assign: { sum: '{% $sum($states.result) %}' },
          Next: 'Show',
        },
        Show: { Type: 'Pass', Output: { before: '{% $states.input %}', sum: '{% $sum %}' }, End: true },
      },
      { x: 1 },
    );
    expect(output).toEqual({ before: { all: [1, 2], in: 1 }, sum: 3 });
  });

  it('passes Arguments to the branches instead of the input, if present', async () => {
    const output = await cloud.output(
      {
        P: {
          Type: 'Parallel',
          Arguments: { y: '{% $states.input.x * 2 %}' },
          Branches: [block({ A: { Type: 'Pass', End: true } })],
          End: true,
        },
      },
      { x: 4 },
    );
    expect(output).toEqual([{ y: 8 }]);
  });

  it('lets branches read outer variables and keeps their own inside', async () => {
    const branch = (name: string, value: number): unknown =>
      block({
        [`Set${name}`]: { Type: 'Pass', Assign: { own: value }, Next: `Rest${name}` },
        [`Rest${name}`]: { Type: 'Wait', Seconds: value, Next: `Show${name}` },
        [`Show${name}`]: { Type: 'Pass', Output: '{% [$outer, $own] %}', End: true },
      });
    const states = {
      Start: { Type: 'Pass', Assign: { outer: 'seen' }, Next: 'P' },
      P: { Type: 'Parallel', Branches: [branch('A', 1), branch('B', 2)], Next: 'After' },
      After: {
        Type: 'Pass',
        Output: { branches: '{% $states.input %}', leaked: '{% $exists($own) %}' },
        End: true,
      },
    };
    const arn = await cloud.start(states);
    await until(() => cloud.clock.nextIn !== undefined);
    await cloud.clock.advance(2);
    expect(await cloud.outputOf(arn)).toEqual({
      branches: [
        ['seen', 1],
        ['seen', 2],
      ],
      leaked: false,
    });
  });

  it('stops the siblings of a failed branch and cancels their tokens and timers', async () => {
    const arn = await cloud.start({
      P: {
        Type: 'Parallel',
        Branches: [
          block({ ...waiting('Teach', { Next: 'Never', End: false }), Never: { Type: 'Pass', End: true } }),
          block({
            Hold: { Type: 'Wait', Seconds: 10, Next: 'Reject' },
            Reject: { Type: 'Task', Resource: INVOKE, Arguments: { FunctionName: 'reject' }, End: true },
          }),
        ],
        Catch: [{ ErrorEquals: ['PhotoRejected'], Next: 'Caught' }],
        End: true,
      },
      Caught: { Type: 'Pass', End: true },
    });
    await until(() => tokens.length === 1);
    await cloud.clock.advance(10);
    const execution = await cloud.ended(arn);
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(execution.output ?? '').Error).toBe('PhotoRejected');
    await expect(
      cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: tokens[0], output: '1' })),
    ).rejects.toMatchObject({ name: 'TaskTimedOut' });
    expect(cloud.clock.nextIn).toBeUndefined();
    const names = (await cloud.history(arn)).map(
      ({ stateEnteredEventDetails }) => stateEnteredEventDetails?.name,
    );
    expect(names).not.toContain('Never');
    expect(await cloud.types(arn)).toContain('ParallelStateFailed');
  });

  it('records neither failure nor success of a block inside a stopped branch', async () => {
    const inner = {
      Inner: {
        Type: 'Parallel',
        Branches: [block(waiting('Teach'))],
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Never' }],
        End: true,
      },
      Never: { Type: 'Pass', End: true },
    };
    const failing = {
      Hold: { Type: 'Wait', Seconds: 10, Next: 'Stop' },
      Stop: { Type: 'Fail', Error: 'Stop' },
    };
    const arn = await cloud.start({
      Outer: { Type: 'Parallel', Branches: [block(inner), block(failing)], End: true },
    });
    await until(() => tokens.length === 1);
    await cloud.clock.advance(10);
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'Stop' });
    expect((await cloud.types(arn)).slice(-5)).toEqual([
      'FailStateEntered',
      'TaskStateAborted',
      'ParallelStateAborted',
      'ParallelStateFailed',
      'ExecutionFailed',
    ]);
  });

  it('fails with the error of a Fail state in a branch, and can be retried', async () => {
    const states = {
      P: {
        Type: 'Parallel',
        Retry: [{ ErrorEquals: ['Stop'], MaxAttempts: 1 }],
        Branches: [block({ F: { Type: 'Fail', Error: 'Stop', Cause: 'enough' } })],
        End: true,
      },
    };
    const arn = await cloud.start(states);
    await until(() => cloud.clock.nextIn !== undefined);
    await cloud.clock.advance(1);
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'Stop', cause: 'enough' });
    expect((await cloud.types(arn)).filter((type) => type === 'ParallelStateStarted')).toHaveLength(2);
  });

  it('ends immediately with all branches when the execution is stopped', async () => {
    const arn = await cloud.start({
      P: {
        Type: 'Parallel',
        Branches: [block(waiting('A')), block(waiting('B'))],
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'C' }],
        End: true,
      },
      C: { Type: 'Pass', End: true },
    });
    await until(() => tokens.length === 2);
    await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
    expect((await cloud.describe(arn)).status).toBe('ABORTED');
    expect(cloud.clock.nextIn).toBeUndefined();
    const types = await cloud.types(arn);
    expect(types.at(-1)).toBe('ExecutionAborted');
    expect(types).not.toContain('ParallelStateFailed');
  });

  it('links the events of each branch separately in the history', async () => {
    const arn = await cloud.start({
      P: {
        Type: 'Parallel',
        Branches: [block({ A: { Type: 'Pass', End: true } }), block({ B: { Type: 'Pass', End: true } })],
        End: true,
      },
    });
    await cloud.ended(arn);
    const history = await cloud.history(arn);
    const start = history.find(({ type }) => type === 'ParallelStateStarted')?.id;
    const entered = history.filter(({ type }) => type === 'PassStateEntered');
    expect(entered.map(({ previousEventId }) => previousEventId)).toEqual([start, start]);
  });
});

describe('Map', () => {
  const work = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
    Each: {
      Type: 'Map',
      Items: '{% $states.input.items %}',
      ItemProcessor: {
        ProcessorConfig: { Mode: 'INLINE' },
        ...(block({
          Work: {
            Type: 'Task',
            Resource: INVOKE,
            Arguments: { FunctionName: 'work', Payload: '{% $states.input %}' },
            Output: '{% $states.result.Payload %}',
            End: true,
          },
        }) as object),
      },
      End: true,
      ...more,
    },
  });

  it('runs the processor for every item and returns the outputs in order', async () => {
    expect(await cloud.output(work(), { items: ['a', 'b', 'c'] })).toEqual(['a', 'b', 'c']);
    expect(mostRunning).toBe(3);
  });

  it('uses its input as the items by default', async () => {
    const { Items: _, ...each } = work().Each as Record<string, unknown>;
    expect(await cloud.output({ Each: each }, [1, 2])).toEqual([1, 2]);
  });

  it('returns an empty list for no items', async () => {
    expect(await cloud.output(work(), { items: [] })).toEqual([]);
  });

  it('transforms items, with their index in the context object', async () => {
    const output = await cloud.output(
      work({
        ItemSelector: {
          value: '{% $states.context.Map.Item.Value %}',
          at: '{% $states.context.Map.Item.Index %}',
          of: '{% $count($states.input.items) %}',
        },
      }),
      { items: ['a', 'b'] },
    );
    expect(output).toEqual([
      { value: 'a', at: 0, of: 2 },
      { value: 'b', at: 1, of: 2 },
    ]);
  });

  it('runs at most MaxConcurrency at once, and never more than 40', async () => {
    await cloud.output(work({ MaxConcurrency: '{% 2 %}' }), { items: [1, 2, 3, 4, 5] });
    expect(mostRunning).toBe(2);
    await cloud.output(work(), { items: Array.from({ length: 50 }, (_, index) => index) });
    expect(mostRunning).toBe(40);
  });

  it('fails with the first error and starts no further item', async () => {
    const arn = await cloud.start(work({ MaxConcurrency: 1 }), { items: [1, 'bad', 3] });
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'BadItem' });
    expect(calls).toEqual([1, 'bad']);
    const types = await cloud.types(arn);
    expect(types).toEqual(
      expect.arrayContaining([
        'MapStateStarted',
        'MapIterationStarted',
        'MapIterationSucceeded',
        'MapIterationFailed',
        'MapStateFailed',
      ]),
    );
  });

  it('fails with an error that can be caught if the items are not a list', async () => {
    const output = await cloud.output(
      {
        ...work({ Catch: [{ ErrorEquals: ['States.QueryEvaluationError'], Next: 'Caught' }] }),
        Caught: { Type: 'Pass', Output: 'caught', End: true },
      },
      { items: 'a' },
    );
    expect(output).toBe('caught');
  });
});
