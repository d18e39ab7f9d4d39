import { StateError, TimeoutError } from '../../../lib/local/states/errors.ts';
import { matchesError, retryDelay } from '../../../lib/local/states/interpreter/retry-catch.ts';
import { Harness, INVOKE, named, until } from './harness.ts';

describe('matchesError', () => {
  const errors = {
    'an error': new StateError('AnyError'),
    'an error without a name': new StateError(undefined),
    'a failed evaluation': new StateError('States.QueryEvaluationError'),
    'a timeout': new TimeoutError(),
    'a missed heartbeat': new TimeoutError({ missedHeartbeat: true }),
    'a result that is too long': new StateError('States.DataLimitExceeded'),
    'an output that is too long': new StateError('States.DataLimitExceeded', '', true),
    'a mistake of the machine': new StateError('States.Runtime'),
  };

  it.each<[string, keyof typeof errors, boolean]>([
    ['States.ALL', 'an error', true],
    ['States.ALL', 'an error without a name', true],
    ['States.ALL', 'a failed evaluation', true],
    ['States.ALL', 'a timeout', true],
    ['States.ALL', 'a missed heartbeat', true],
    ['States.ALL', 'a result that is too long', true],
    ['States.ALL', 'an output that is too long', false],
    ['States.ALL', 'a mistake of the machine', false],
    ['States.DataLimitExceeded', 'a result that is too long', true],
    ['States.DataLimitExceeded', 'an output that is too long', false],
    ['States.Runtime', 'a mistake of the machine', false],
    ['States.TaskFailed', 'an error', true],
    ['States.TaskFailed', 'an error without a name', true],
    ['States.TaskFailed', 'a timeout', false],
    ['States.TaskFailed', 'a missed heartbeat', false],
    ['States.TaskFailed', 'a mistake of the machine', false],
    ['States.Timeout', 'a timeout', true],
    ['States.Timeout', 'a missed heartbeat', true],
    ['States.HeartbeatTimeout', 'a missed heartbeat', true],
    ['States.HeartbeatTimeout', 'a timeout', false],
    ['AnyError', 'an error', true],
    ['anyError', 'an error', false],
    ['undefined', 'an error without a name', false],
  ])('%s and %s: %s', (wanted, error, expected) => {
    expect(matchesError([wanted], errors[error])).toBe(expected);
  });
});

describe('retryDelay', () => {
  const errors = { ErrorEquals: ['States.ALL'] };

  it('is one second by default, doubled each time', () => {
    expect([0, 1, 2, 3].map((used) => retryDelay(errors, used, 0.5))).toEqual([1, 2, 4, 8]);
    expect(
      [0, 1, 2].map((used) => retryDelay({ ...errors, IntervalSeconds: 3, BackoffRate: 1.5 }, used, 0.5)),
    ).toEqual([3, 4.5, 6.75]);
  });

  it('never exceeds MaxDelaySeconds', () => {
    expect(
      [0, 3, 60].map((used) => retryDelay({ ...errors, IntervalSeconds: 4, MaxDelaySeconds: 10 }, used, 0.5)),
    ).toEqual([4, 10, 10]);
  });

  it('is a random part of the capped delay with full jitter', () => {
    const retrier = { ...errors, IntervalSeconds: 4, MaxDelaySeconds: 10, JitterStrategy: 'FULL' as const };
    expect(retryDelay(retrier, 3, 0)).toBe(0);
    expect(retryDelay(retrier, 3, 0.5)).toBe(5);
    expect(retryDelay({ ...retrier, JitterStrategy: 'NONE' }, 3, 0.5)).toBe(10);
  });
});

describe('Retry and Catch', () => {
  let cloud: Harness;
  /** The time of each call, in seconds from the first. */
  let calls: number[];
  let failures: string[];
  let retryCounts: number[];

  beforeEach(async () => {
    calls = [];
    retryCounts = [];
    cloud = await new Harness(
      {
        flaky: ({ retryCount }) => {
          retryCounts.push(retryCount);
          calls.push(cloud.clock.now() / 1000);
          const failure = failures.shift();
          if (failure) throw named(failure);
          return 'fine';
        },
      },
      { random: () => 0.25 },
    ).open();
  });
  afterEach(() => cloud.close());

  const flaky = (more: Record<string, unknown>): Record<string, unknown> => ({
    Flaky: {
      Type: 'Task',
      Resource: INVOKE,
      Arguments: { FunctionName: 'flaky', Payload: { retryCount: '{% $states.context.State.RetryCount %}' } },
      Output: '{% $states.result.Payload %}',
      Next: 'Done',
      ...more,
    },
    Done: { Type: 'Succeed' },
  });
  const Caught = { Type: 'Pass', End: true };
  const called = (count: number): Promise<void> =>
    until(() => calls.length === count && cloud.clock.nextIn !== undefined);
  const gaps = (): number[] => calls.slice(1).map((time, index) => time - (calls[index] ?? 0));

  it('retries after the delays, and passes the retry count to the function', async () => {
    failures = ['Busy', 'Busy', 'Busy'];
    const arn = await cloud.start(
      flaky({ Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 2, BackoffRate: 3 }] }),
    );
    await called(1);
    await cloud.clock.advance(2 + 6 + 18);
    expect((await cloud.ended(arn)).output).toBe('"fine"');
    expect(gaps()).toEqual([2, 6, 18]);
    expect(retryCounts).toEqual([0, 1, 2, 3]);
  });

  it('gives up after MaxAttempts, three by default', async () => {
    failures = ['Busy', 'Busy', 'Busy', 'Busy', 'Busy'];
    const arn = await cloud.start(flaky({ Retry: [{ ErrorEquals: ['Busy'] }] }));
    await called(1);
    await cloud.clock.advance(60);
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'Busy' });
    expect(calls).toHaveLength(4);
  });

  it('does not retry with MaxAttempts 0, nor use later retriers', async () => {
    failures = ['Busy'];
    const execution = await cloud.run(
      flaky({ Retry: [{ ErrorEquals: ['Busy'], MaxAttempts: 0 }, { ErrorEquals: ['States.ALL'] }] }),
    );
    expect(execution).toMatchObject({ status: 'FAILED', error: 'Busy' });
    expect(calls).toHaveLength(1);
  });

  it('counts separately for each retrier', async () => {
    failures = ['Busy', 'Lost', 'Busy', 'Lost'];
    const arn = await cloud.start(
      flaky({
        Retry: [
          { ErrorEquals: ['Busy'], IntervalSeconds: 2, MaxAttempts: 2 },
          { ErrorEquals: ['States.ALL'], IntervalSeconds: 5, MaxAttempts: 2 },
        ],
      }),
    );
    await called(1);
    await cloud.clock.advance(2 + 5 + 4 + 10);
    expect((await cloud.ended(arn)).status).toBe('SUCCEEDED');
    expect(gaps()).toEqual([2, 5, 4, 10]);
  });

  it('randomizes the delay with full jitter', async () => {
    failures = ['Busy'];
    const arn = await cloud.start(
      flaky({ Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 8, JitterStrategy: 'FULL' }] }),
    );
    await called(1);
    await cloud.clock.advance(2);
    expect((await cloud.ended(arn)).status).toBe('SUCCEEDED');
    expect(gaps()).toEqual([2]);
  });

  it('catches after the last retry, with the first catcher that matches', async () => {
    failures = ['Busy', 'Busy'];
    const states = flaky({
      Retry: [{ ErrorEquals: ['Busy'], MaxAttempts: 1 }],
      Catch: [
        { ErrorEquals: ['Lost'], Next: 'Done' },
        {
          ErrorEquals: ['Busy', 'Other'],
          Next: 'Caught',
          Assign: { seen: '{% $states.input.x %}' },
          Output: { error: '{% $states.errorOutput %}', input: '{% $states.input %}' },
        },
      ],
    });
    const arn = await cloud.start(
      { ...states, Caught: { ...Caught, Output: { in: '{% $states.input %}', seen: '{% $seen %}' } } },
      { x: 7 },
    );
    await called(1);
    await cloud.clock.advance(1);
    const output = JSON.parse((await cloud.ended(arn)).output ?? '');
    expect(output.seen).toBe(7);
    expect(output.in.input).toEqual({ x: 7 });
    expect(output.in.error.Error).toBe('Busy');
    expect(JSON.parse(output.in.error.Cause)).toMatchObject({ errorType: 'Busy', errorMessage: 'it broke' });
  });

  it('outputs the error if the catcher has no Output', async () => {
    failures = ['Busy'];
    const output = await cloud.output({
      ...flaky({ Catch: [{ ErrorEquals: ['States.TaskFailed'], Next: 'Caught' }] }),
      Caught,
    });
    expect(output).toMatchObject({ Error: 'Busy' });
  });

  it.each([
    ['Arguments', { Arguments: '{% $states.input.absent %}' }],
    ['Output', { Output: '{% $states.result.absent %}' }],
    ['Assign', { Assign: { x: "{% 1 + 'a' %}" } }],
  ])('catches an expression that fails in %s, and notes it', async (field, more) => {
    failures = [];
    const arn = await cloud.start({
      ...flaky({ ...more, Catch: [{ ErrorEquals: ['States.QueryEvaluationError'], Next: 'Caught' }] }),
      Caught,
    });
    const output = JSON.parse((await cloud.ended(arn)).output ?? '');
    expect(output.Cause).toContain(field);
    const noted = (await cloud.history(arn)).find(({ type }) => type === 'EvaluationFailed');
    expect(noted?.evaluationFailedEventDetails).toMatchObject({
      state: 'Flaky',
      error: 'States.QueryEvaluationError',
      location: field === 'Assign' ? 'Assign/x' : field,
    });
  });

  it('does not catch an expression that fails in the catcher', async () => {
    failures = ['Busy'];
    const states = flaky({
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught', Output: '{% $states.result %}' }],
    });
    const execution = await cloud.run({ ...states, Caught });
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
    expect(execution.cause).toContain('Catch/0/Output');
  });

  it('stops retrying when the execution has ended', async () => {
    failures = ['Busy', 'Busy'];
    const arn = await cloud.start(
      flaky({ Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 100 }] }),
      {},
      { TimeoutSeconds: 10 },
    );
    await called(1);
    await cloud.clock.advance(200);
    expect((await cloud.ended(arn)).status).toBe('TIMED_OUT');
    expect(calls).toHaveLength(1);
  });
});
