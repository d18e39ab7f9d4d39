import {
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { Harness, named, until, WAIT_FOR_TOKEN } from './harness.ts';

let cloud: Harness;
/** Tokens in the order in which the starter function received them. */
let tokens: string[];

beforeEach(async () => {
  tokens = [];
  cloud = await new Harness({
    'start-job': ({ token }) => {
      tokens.push(token);
      return { started: true };
    },
    broken: ({ token }) => {
      tokens.push(token);
      throw named('ResourceLimitExceeded', 'no GPU today');
    },
  }).open();
});
afterEach(() => cloud.close());

const job = (more: Record<string, unknown> = {}, starter = 'start-job'): Record<string, unknown> => ({
  Teach: {
    Type: 'Task',
    Resource: WAIT_FOR_TOKEN,
    Arguments: { FunctionName: starter, Payload: { token: '{% $states.context.Task.Token %}' } },
    End: true,
    ...more,
  },
});

/** A catcher for all errors, and the state that outputs the error. */
const catchAll = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }] };
const Caught = { Type: 'Pass', End: true };

const succeed = (taskToken: string | undefined, output: unknown): Promise<unknown> =>
  cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) }));
const fail = (taskToken: string | undefined, error?: string, cause?: string): Promise<unknown> =>
  cloud.sfn.send(new SendTaskFailureCommand({ taskToken, error, cause }));
const beat = (taskToken: string | undefined): Promise<unknown> =>
  cloud.sfn.send(new SendTaskHeartbeatCommand({ taskToken }));
const started = (count: number): Promise<void> => until(() => tokens.length === count);

describe('a task that waits for its token', () => {
  it("ends with the callback's output, not with the starter's", async () => {
    const arn = await cloud.start(job());
    await started(1);
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    await succeed(tokens[0], { adapter: 's3://bucket/adapter' });
    expect(await cloud.outputOf(arn)).toEqual({ adapter: 's3://bucket/adapter' });
  });

  it('can be failed from outside with an error that is caught by its name', async () => {
    const states = job({
      Catch: [
        {
          ErrorEquals: ['JobFailed'],
          Next: 'Caught',
          Output: { why: '{% $states.errorOutput.Cause %}' },
          Assign: { caught: '{% $states.errorOutput.Error %}' },
        },
      ],
    });
    const arn = await cloud.start({
      ...states,
      Caught: { ...Caught, Output: '{% [$states.input.why, $caught] %}' },
    });
    await started(1);
    await fail(tokens[0], 'JobFailed', 'CUDA out of memory');
    expect(await cloud.outputOf(arn)).toEqual(['CUDA out of memory', 'JobFailed']);
  });

  it('fails immediately when its starter throws', async () => {
    const execution = await cloud.run(job({}, 'broken'));
    expect(execution).toMatchObject({ status: 'FAILED', error: 'ResourceLimitExceeded' });
    await expect(succeed(tokens[0], {})).rejects.toMatchObject({ name: 'TaskTimedOut' });
    expect(cloud.clock.nextIn).toBeUndefined();
  });

  it('accepts a callback before the starter has returned', async () => {
    let release = (): void => {};
    cloud.functions['start-job'] = async ({ token }) => {
      await succeed(token, 'early');
      tokens.push(token);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    };
    const arn = await cloud.start(job());
    expect((await cloud.ended(arn)).output).toBe('"early"');
    release();
    expect(await cloud.types(arn)).not.toContain('TaskSubmitted');
  });

  it('keeps a success that came before the starter threw', async () => {
    cloud.functions['start-job'] = async ({ token }) => {
      await succeed(token, 'early');
      throw named('TooLate');
    };
    expect(await cloud.run(job())).toMatchObject({ status: 'SUCCEEDED', output: '"early"' });
  });

  it('accepts one callback only', async () => {
    const arn = await cloud.start(job());
    await started(1);
    await succeed(tokens[0], 1);
    await expect(succeed(tokens[0], 2)).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await expect(fail(tokens[0], 'No')).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await expect(beat(tokens[0])).rejects.toMatchObject({ name: 'TaskTimedOut' });
    expect((await cloud.ended(arn)).output).toBe('1');
  });

  it('can be failed without error and cause', async () => {
    const arn = await cloud.start(job());
    await started(1);
    await fail(tokens[0]);
    const execution = await cloud.ended(arn);
    expect(execution.status).toBe('FAILED');
    expect(execution.error).toBeUndefined();
  });

  it('reports an invalid token or output', async () => {
    const arn = await cloud.start(job());
    await started(1);
    const foreign = Buffer.from(JSON.stringify([`${arn}-gone`, 'x'])).toString('base64url');
    await expect(succeed('no-token', {})).rejects.toMatchObject({ name: 'InvalidToken' });
    await expect(succeed(foreign, {})).rejects.toMatchObject({ name: 'TaskDoesNotExist' });
    const broken = cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: tokens[0], output: '{not json' }));
    await expect(broken).rejects.toMatchObject({ name: 'InvalidOutput' });
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
  });

  it('is cancelled when the execution is stopped', async () => {
    const arn = await cloud.start(job({ TimeoutSeconds: 100 }));
    await started(1);
    await cloud.sfn.send(
      new StopExecutionCommand({ executionArn: arn, error: 'Interrupted', cause: 'Ctrl-C' }),
    );
    expect(await cloud.describe(arn)).toMatchObject({
      status: 'ABORTED',
      error: 'Interrupted',
      cause: 'Ctrl-C',
    });
    await expect(succeed(tokens[0], {})).rejects.toMatchObject({ name: 'TaskTimedOut' });
    expect(cloud.clock.nextIn).toBeUndefined();
    expect((await cloud.types(arn)).at(-1)).toBe('ExecutionAborted');
  });
});

describe('TimeoutSeconds', () => {
  it('ends the attempt with States.Timeout, which States.TaskFailed does not match', async () => {
    const states = job({
      TimeoutSeconds: '{% 5 * 60 %}',
      Catch: [
        { ErrorEquals: ['States.TaskFailed'], Next: 'Wrong' },
        { ErrorEquals: ['States.Timeout'], Next: 'Caught' },
      ],
    });
    const arn = await cloud.start({ ...states, Caught, Wrong: { Type: 'Fail' } });
    await started(1);
    await cloud.clock.advance(299);
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    await cloud.clock.advance(1);
    expect(await cloud.outputOf(arn)).toEqual({
      Error: 'States.Timeout',
      Cause: '',
    });
    expect(await cloud.types(arn)).toContain('TaskTimedOut');
  });

  it('invalidates the old token and issues a new one for the next attempt', async () => {
    const arn = await cloud.start(
      job({
        TimeoutSeconds: 10,
        Retry: [{ ErrorEquals: ['States.Timeout'], IntervalSeconds: 5, MaxAttempts: 1 }],
      }),
    );
    await started(1);
    await cloud.clock.advance(10);
    await expect(succeed(tokens[0], {})).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await cloud.clock.advance(5);
    await started(2);
    expect(tokens[1]).not.toBe(tokens[0]);
    await succeed(tokens[1], 'second');
    expect((await cloud.ended(arn)).output).toBe('"second"');
  });

  it('applies to every attempt separately', async () => {
    const arn = await cloud.start(
      job({ TimeoutSeconds: 10, Retry: [{ ErrorEquals: ['JobFailed'], IntervalSeconds: 1 }] }),
    );
    await started(1);
    await cloud.clock.advance(9);
    await fail(tokens[0], 'JobFailed');
    await cloud.clock.advance(1);
    await started(2);
    await cloud.clock.advance(9);
    await succeed(tokens[1], null);
    expect((await cloud.ended(arn)).status).toBe('SUCCEEDED');
  });
});

describe('HeartbeatSeconds', () => {
  const watched = (errors: string[]): Record<string, unknown> => ({
    ...job({
      TimeoutSeconds: 3600,
      HeartbeatSeconds: '{% $states.input.beat %}',
      Catch: [{ ErrorEquals: errors, Next: 'Caught' }],
    }),
    Caught,
  });

  it.each([['States.HeartbeatTimeout'], ['States.Timeout'], ['States.ALL']])(
    'expires with an error that %s matches',
    async (error) => {
      const arn = await cloud.start(watched([error]), { beat: 60 });
      await started(1);
      await cloud.clock.advance(60);
      expect(await cloud.outputOf(arn)).toEqual({
        Error: 'States.Timeout',
        Cause: '',
      });
    },
  );

  it('expires with an error that States.TaskFailed does not match', async () => {
    const arn = await cloud.start(watched(['States.TaskFailed']), { beat: 60 });
    await started(1);
    await cloud.clock.advance(60);
    expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
  });

  it('selects the retrier too', async () => {
    const arn = await cloud.start(
      job({
        TimeoutSeconds: 3600,
        HeartbeatSeconds: 60,
        Retry: [{ ErrorEquals: ['States.HeartbeatTimeout'], IntervalSeconds: 5, MaxAttempts: 1 }],
      }),
    );
    await started(1);
    await cloud.clock.advance(65);
    await started(2);
    await succeed(tokens[1], 'second');
    expect((await cloud.ended(arn)).output).toBe('"second"');
  });

  it('restarts with every heartbeat, which is not in the history', async () => {
    const arn = await cloud.start(watched(['States.Timeout']), { beat: 60 });
    await started(1);
    await until(async () => (await cloud.types(arn)).includes('TaskSubmitted'));
    const before = await cloud.types(arn);
    for (let minute = 0; minute < 30; minute++) {
      await cloud.clock.advance(59);
      await beat(tokens[0]);
    }
    expect(await cloud.types(arn)).toEqual(before);
    await cloud.clock.advance(59);
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    await cloud.clock.advance(1);
    expect((await cloud.ended(arn)).output).toContain('States.Timeout');
  });

  it('does not extend TimeoutSeconds', async () => {
    const arn = await cloud.start(watched(['States.ALL']), { beat: 60 });
    await started(1);
    for (let time = 0; time < 3600; time += 50) {
      await cloud.clock.advance(50);
      if (time < 3550) await beat(tokens[0]);
    }
    expect(await cloud.outputOf(arn)).toMatchObject({ Error: 'States.Timeout' });
    expect(await cloud.types(arn)).toContain('TaskTimedOut');
  });

  it('must be shorter than the timeout, also if it is computed', async () => {
    const execution = await cloud.run({
      ...job({ TimeoutSeconds: 60, HeartbeatSeconds: '{% 60 %}', ...catchAll }),
      Caught,
    });
    expect(execution.output).toContain('States.QueryEvaluationError');
    expect(execution.output).toContain('less than TimeoutSeconds');
  });
});

describe('the history of a waiting task', () => {
  it('records what was scheduled, submitted and returned', async () => {
    const arn = await cloud.start(job({ TimeoutSeconds: 100, HeartbeatSeconds: 10 }));
    await started(1);
    await until(async () => (await cloud.types(arn)).includes('TaskSubmitted'));
    await succeed(tokens[0], 'done');
    await cloud.ended(arn);
    const history = await cloud.history(arn);
    expect(history.map(({ type }) => type)).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSubmitted',
      'TaskSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
    expect(history.map(({ id, previousEventId }) => [id, previousEventId])).toEqual([
      [1, 0],
      // The first two have no predecessor, as recorded.
      [2, 0],
      [3, 2],
      [4, 3],
      [5, 4],
      [6, 5],
      [7, 6],
      [8, 7],
    ]);
    expect(history[2]?.taskScheduledEventDetails).toEqual({
      resourceType: 'lambda',
      resource: 'invoke.waitForTaskToken',
      region: 'us-east-1',
      parameters: JSON.stringify({ FunctionName: 'start-job', Payload: { token: tokens[0] } }),
      timeoutInSeconds: 100,
      heartbeatInSeconds: 10,
    });
    expect(JSON.parse(history[4]?.taskSubmittedEventDetails?.output ?? '')).toMatchObject({
      Payload: { started: true },
    });
    expect(history[5]?.taskSucceededEventDetails?.output).toBe('"done"');
    expect(history[7]?.executionSucceededEventDetails?.output).toBe('"done"');
  });
});
