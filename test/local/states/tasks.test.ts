import { SendTaskSuccessCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { named, until } from './harness.ts';
import { pass } from './shapes.ts';
import { job, TokensHarness } from './tokens-harness.ts';

let cloud: TokensHarness;

beforeEach(async () => {
  cloud = await new TokensHarness().open();
});
afterEach(() => cloud.close());

describe('a task that waits for its token', () => {
  it("ends with the callback's output, not with the starter's", async () => {
    const arn = await cloud.start(job());
    await cloud.started(1);
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    await cloud.succeed(cloud.tokens[0], { adapter: 's3://bucket/adapter' });
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
      Caught: pass({ Output: '{% [$states.input.why, $caught] %}' }),
    });
    await cloud.started(1);
    await cloud.fail(cloud.tokens[0], 'JobFailed', 'CUDA out of memory');
    expect(await cloud.outputOf(arn)).toEqual(['CUDA out of memory', 'JobFailed']);
  });

  it('fails immediately when its starter throws', async () => {
    const execution = await cloud.run(job({}, 'broken'));
    expect(execution).toMatchObject({ status: 'FAILED', error: 'ResourceLimitExceeded' });
    await expect(cloud.succeed(cloud.tokens[0], {})).rejects.toMatchObject({ name: 'TaskTimedOut' });
    expect(cloud.clock.nextIn).toBeUndefined();
  });

  it('accepts a callback before the starter has returned', async () => {
    let release = (): void => {};
    cloud.functions['start-job'] = async ({ token }) => {
      await cloud.succeed(token, 'early');
      cloud.tokens.push(token);
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
      await cloud.succeed(token, 'early');
      throw named('TooLate');
    };
    expect(await cloud.run(job())).toMatchObject({ status: 'SUCCEEDED', output: '"early"' });
  });

  it('accepts one callback only', async () => {
    const arn = await cloud.start(job());
    await cloud.started(1);
    await cloud.succeed(cloud.tokens[0], 1);
    await expect(cloud.succeed(cloud.tokens[0], 2)).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await expect(cloud.fail(cloud.tokens[0], 'No')).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await expect(cloud.beat(cloud.tokens[0])).rejects.toMatchObject({ name: 'TaskTimedOut' });
    expect((await cloud.ended(arn)).output).toBe('1');
  });

  it('can be failed without error and cause', async () => {
    const arn = await cloud.start(job());
    await cloud.started(1);
    await cloud.fail(cloud.tokens[0]);
    const execution = await cloud.ended(arn);
    expect(execution.status).toBe('FAILED');
    expect(execution.error).toBeUndefined();
  });

  it('reports an invalid token or output', async () => {
    const arn = await cloud.start(job());
    await cloud.started(1);
    const foreign = Buffer.from(JSON.stringify([`${arn}-gone`, 'x'])).toString('base64url');
    await expect(cloud.succeed('no-token', {})).rejects.toMatchObject({ name: 'InvalidToken' });
    await expect(cloud.succeed(foreign, {})).rejects.toMatchObject({ name: 'TaskDoesNotExist' });
    const broken = cloud.sfn.send(
      new SendTaskSuccessCommand({ taskToken: cloud.tokens[0], output: '{not json' }),
    );
    await expect(broken).rejects.toMatchObject({ name: 'InvalidOutput' });
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
  });

  it('is cancelled when the execution is stopped', async () => {
    const arn = await cloud.start(job({ TimeoutSeconds: 100 }));
    await cloud.started(1);
    await cloud.sfn.send(
      new StopExecutionCommand({ executionArn: arn, error: 'Interrupted', cause: 'Ctrl-C' }),
    );
    expect(await cloud.describe(arn)).toMatchObject({
      status: 'ABORTED',
      error: 'Interrupted',
      cause: 'Ctrl-C',
    });
    await expect(cloud.succeed(cloud.tokens[0], {})).rejects.toMatchObject({ name: 'TaskTimedOut' });
    expect(cloud.clock.nextIn).toBeUndefined();
    expect((await cloud.types(arn)).at(-1)).toBe('ExecutionAborted');
  });
});

describe('the history of a waiting task', () => {
  it('records what was scheduled, submitted and returned', async () => {
    const arn = await cloud.start(job({ TimeoutSeconds: 100, HeartbeatSeconds: 10 }));
    await cloud.started(1);
    await until(async () => (await cloud.types(arn)).includes('TaskSubmitted'));
    await cloud.succeed(cloud.tokens[0], 'done');
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
      parameters: JSON.stringify({ FunctionName: 'start-job', Payload: { token: cloud.tokens[0] } }),
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
