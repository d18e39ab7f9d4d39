import { until } from './harness.ts';
import { pass } from './shapes.ts';
import { job, TokensHarness } from './tokens-harness.ts';

let cloud: TokensHarness;

beforeEach(async () => {
  cloud = await new TokensHarness().open();
});
afterEach(() => cloud.close());

const Caught = pass();

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
    await cloud.started(1);
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
    await cloud.started(1);
    await cloud.clock.advance(10);
    await expect(cloud.succeed(cloud.tokens[0], {})).rejects.toMatchObject({ name: 'TaskTimedOut' });
    await cloud.clock.advance(5);
    await cloud.started(2);
    expect(cloud.tokens[1]).not.toBe(cloud.tokens[0]);
    await cloud.succeed(cloud.tokens[1], 'second');
    expect((await cloud.ended(arn)).output).toBe('"second"');
  });

  it('applies to every attempt separately', async () => {
    const arn = await cloud.start(
      job({ TimeoutSeconds: 10, Retry: [{ ErrorEquals: ['JobFailed'], IntervalSeconds: 1 }] }),
    );
    await cloud.started(1);
    await cloud.clock.advance(9);
    await cloud.fail(cloud.tokens[0], 'JobFailed');
    await cloud.clock.advance(1);
    await cloud.started(2);
    await cloud.clock.advance(9);
    await cloud.succeed(cloud.tokens[1], null);
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
      await cloud.started(1);
      await cloud.clock.advance(60);
      expect(await cloud.outputOf(arn)).toEqual({
        Error: 'States.Timeout',
        Cause: '',
      });
    },
  );

  it('expires with an error that States.TaskFailed does not match', async () => {
    const arn = await cloud.start(watched(['States.TaskFailed']), { beat: 60 });
    await cloud.started(1);
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
    await cloud.started(1);
    await cloud.clock.advance(65);
    await cloud.started(2);
    await cloud.succeed(cloud.tokens[1], 'second');
    expect((await cloud.ended(arn)).output).toBe('"second"');
  });

  it('restarts with every heartbeat, which is not in the history', async () => {
    const arn = await cloud.start(watched(['States.Timeout']), { beat: 60 });
    await cloud.started(1);
    await until(async () => (await cloud.types(arn)).includes('TaskSubmitted'));
    const before = await cloud.types(arn);
    for (let minute = 0; minute < 30; minute++) {
      await cloud.clock.advance(59);
      await cloud.beat(cloud.tokens[0]);
    }
    expect(await cloud.types(arn)).toEqual(before);
    await cloud.clock.advance(59);
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    await cloud.clock.advance(1);
    expect((await cloud.ended(arn)).output).toContain('States.Timeout');
  });

  it('does not extend TimeoutSeconds', async () => {
    const arn = await cloud.start(watched(['States.ALL']), { beat: 60 });
    await cloud.started(1);
    for (let time = 0; time < 3600; time += 50) {
      await cloud.clock.advance(50);
      if (time < 3550) await cloud.beat(cloud.tokens[0]);
    }
    expect(await cloud.outputOf(arn)).toMatchObject({ Error: 'States.Timeout' });
    expect(await cloud.types(arn)).toContain('TaskTimedOut');
  });

  it('must be shorter than the timeout, also if it is computed', async () => {
    const execution = await cloud.run({
      ...job({
        TimeoutSeconds: 60,
        HeartbeatSeconds: '{% 60 %}',
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
      }),
      Caught,
    });
    expect(execution.output).toContain('States.QueryEvaluationError');
    expect(execution.output).toContain('less than TimeoutSeconds');
  });
});
