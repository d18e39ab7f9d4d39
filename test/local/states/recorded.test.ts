/**
 * Answers that were recorded from AWS. The records are in the snapshot tests of LocalStack (Apache-2.0), release of
 * March 2026, under tests/aws/services/stepfunctions; the name of the case is with each test. Machines written in
 * JSONPath there are in JSONata here, where both mean the same.
 */
import { SendTaskFailureCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { Harness, named, until } from './harness.ts';
import { pass, task, waiting } from './shapes.ts';

let cloud: Harness;
let tokens: string[];

beforeEach(async () => {
  tokens = [];
  cloud = await new Harness({
    f: (event) => {
      if (event.token) tokens.push(event.token);
      if (event.error) throw named(event.error);
      if (event.hang) return new Promise(() => {});
      if (event.bytes) return 'x'.repeat(event.bytes);
      return event;
    },
  }).open();
});
afterEach(() => cloud.close());

const WITH_TOKEN = { FunctionName: 'f', Payload: { token: '{% $states.context.Task.Token %}' } };
const started = (count: number): Promise<void> => until(() => tokens.length === count);
const caughtBy = (...errors: string[]): Record<string, unknown> => ({
  Catch: [{ ErrorEquals: errors, Next: 'Caught' }],
});
const Caught = pass();

describe('timeouts', () => {
  it('a missed heartbeat is States.Timeout in the history (test_heartbeat_timeout)', async () => {
    const arn = await cloud.start({
      A: waiting({ Arguments: WITH_TOKEN, TimeoutSeconds: 600, HeartbeatSeconds: 5 }),
    });
    await started(1);
    await until(async () => (await cloud.types(arn)).includes('TaskSubmitted'));
    await cloud.clock.advance(5);
    const execution = await cloud.ended(arn);
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
    expect(execution.cause).toBeUndefined();
    expect(await cloud.lines(arn)).toEqual([
      '1 0 ExecutionStarted',
      '2 0 TaskStateEntered',
      '3 2 TaskScheduled',
      '4 3 TaskStarted',
      '5 4 TaskSubmitted',
      '6 5 TaskTimedOut States.Timeout',
      '7 6 ExecutionFailed States.Timeout',
    ]);
  });

  it('a caught timeout has an empty cause (test_invoke_timeout)', async () => {
    const arn = await cloud.start({
      A: task({
        Arguments: { FunctionName: 'f', Payload: { hang: true } },
        TimeoutSeconds: 5,
        ...caughtBy('States.Timeout'),
      }),
      Caught,
    });
    await until(async () => (await cloud.types(arn)).includes('TaskStarted'));
    await cloud.clock.advance(5);
    expect(await cloud.outputOf(arn)).toEqual({ Error: 'States.Timeout', Cause: '' });
    expect((await cloud.lines(arn))[4]).toBe('5 4 TaskTimedOut States.Timeout');
  });
});

it('a SendTaskFailure without error and cause gives null for both (test_sqs_failure_in_wait_for_task_tok_no_error_field)', async () => {
  const arn = await cloud.start({
    A: waiting({ Arguments: WITH_TOKEN, ...caughtBy('States.ALL') }),
    Caught,
  });
  await started(1);
  await until(async () => (await cloud.types(arn)).includes('TaskSubmitted'));
  await cloud.sfn.send(new SendTaskFailureCommand({ taskToken: tokens[0] }));
  expect(await cloud.outputOf(arn)).toEqual({ Error: null, Cause: null });
  const failed = (await cloud.history(arn)).find(({ type }) => type === 'TaskFailed');
  expect(failed?.taskFailedEventDetails).toEqual({
    resource: 'invoke.waitForTaskToken',
    resourceType: 'lambda',
  });
});

describe('a result over 256 KiB', () => {
  it.each([['States.DataLimitExceeded'], ['States.ALL']])(
    'is caught by %s (test_service_task_lambada_data_limit_exceeded_on_large_utf8_response)',
    async (error) => {
      const arn = await cloud.start({
        A: task({
          Arguments: { FunctionName: 'f', Payload: { bytes: 300_000 } },
          ...caughtBy(error),
        }),
        Caught,
      });
      expect(await cloud.outputOf(arn)).toEqual({
        Error: 'States.DataLimitExceeded',
        Cause:
          "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.",
      });
      expect(await cloud.lines(arn)).toEqual([
        '1 0 ExecutionStarted',
        '2 0 TaskStateEntered',
        '3 2 TaskScheduled',
        '4 3 TaskStarted',
        '5 4 TaskFailed States.DataLimitExceeded with a cause',
        '6 5 TaskStateExited',
        '7 6 PassStateEntered',
        '8 7 PassStateExited',
        '9 8 ExecutionSucceeded',
      ]);
    },
  );
});

it('States.Runtime ends the execution even if a catcher names it (test_catch_states_runtime)', async () => {
  const execution = await cloud.run({
    A: task({ Arguments: "{% {'FunctionName': 1} %}", ...caughtBy('States.Runtime') }),
    Caught,
  });
  expect(execution).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
});

describe('a failed evaluation', () => {
  it.each([
    ['Output', pass({ Output: '{% $doesNotExist %}' })],
    ['Output/result', pass({ Output: { result: '{% $doesNotExist %}' } })],
    ['Assign/result', pass({ Assign: { result: '{% $doesNotExist %}' } })],
    ['Arguments', task({ Arguments: '{% $doesNotExist %}' })],
    ['Arguments/FunctionName', task({ Arguments: { FunctionName: '{% $doesNotExist %}' } })],
  ])('of %s names the state and where it began (test_undefined_reference)', async (location, state) => {
    const arn = await cloud.start({ State0: state });
    const { error, cause } = await cloud.ended(arn);
    expect([error, cause]).toEqual([
      'States.QueryEvaluationError',
      `An error occurred while executing the state 'State0' (entered at the event id #2). The JSONata expression '$doesNotExist' specified for the field '${location}' returned nothing (undefined).`,
    ]);
    const [, , failed] = await cloud.history(arn);
    expect(failed?.evaluationFailedEventDetails).toEqual({ error, cause, location, state: 'State0' });
    expect(await cloud.lines(arn)).toEqual([
      '1 0 ExecutionStarted',
      `2 0 ${state.Type}StateEntered`,
      '3 0 EvaluationFailed States.QueryEvaluationError with a cause',
      '4 3 ExecutionFailed States.QueryEvaluationError with a cause',
    ]);
  });

  it('of a function that does not exist has the code of JSONata (test_math_random_seeded)', async () => {
    const { cause } = await cloud.run({ State0: pass({ Output: '{% $randomSeeded(1) %}' }) });
    expect(cause).toBe(
      "An error occurred while executing the state 'State0' (entered at the event id #2). The JSONata expression '$randomSeeded(1)' specified for the field 'Output' threw an error during evaluation. T1006: Attempted to invoke a non-function",
    );
  });
});

describe('Wait', () => {
  const DAY = 24 * 3600 * 1000;
  const waitingFor = (days: number): Record<string, unknown> => ({
    State_1: {
      Type: 'Wait',
      Timestamp: new Date(cloud.clock.now() + days * DAY).toISOString(),
      End: true,
    },
  });

  it('waits for 24,855 days (test_timestamp_too_far_in_future_boundary)', async () => {
    const arn = await cloud.start(waitingFor(24_855));
    await until(() => cloud.clock.nextIn !== undefined);
    expect(await cloud.lines(arn)).toEqual(['1 0 ExecutionStarted', '2 0 WaitStateEntered']);
  });

  it('fails for a day more (test_timestamp_too_far_in_future_boundary)', async () => {
    const arn = await cloud.start(waitingFor(24_856));
    expect(await cloud.ended(arn)).toMatchObject({
      status: 'FAILED',
      error: 'States.Runtime',
      cause:
        "An error occurred while executing the state 'State_1' (entered at the event id #2). Wait state delay is too long.",
    });
    expect(await cloud.lines(arn)).toEqual([
      '1 0 ExecutionStarted',
      '2 0 WaitStateEntered',
      '3 2 ExecutionFailed States.Runtime with a cause',
    ]);
  });

  it.each([
    '2016-12-05 21:29:29Z',
    '2016-12-05T21:29:29',
    '2016-13-05T21:29:29Z',
    '2016-12-05T25:29:29Z',
    '05-12-2016T21:29:29Z',
  ])('rejects the timestamp %s (test_wait_timestamp_jsonata)', async (time) => {
    const Timestamp = '{% $states.input.time %}';
    const arn = await cloud.start({ State_1: { Type: 'Wait', Timestamp, End: true } }, { time });
    expect(await cloud.ended(arn)).toMatchObject({
      error: 'States.QueryEvaluationError',
      cause: `An error occurred while executing the state 'State_1' (entered at the event id #2). The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: ${time}`,
    });
    expect((await cloud.lines(arn)).slice(1, 3)).toEqual([
      '2 0 WaitStateEntered',
      '3 2 EvaluationFailed States.QueryEvaluationError with a cause',
    ]);
  });
});

it('an execution that is stopped ends without closing its states (test_stop_execution)', async () => {
  const arn = await cloud.start({ State_1: { Type: 'Wait', Seconds: 60, End: true } });
  await until(() => cloud.clock.nextIn !== undefined);
  await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
  expect(await cloud.lines(arn)).toEqual([
    '1 0 ExecutionStarted',
    '2 0 WaitStateEntered',
    '3 0 ExecutionAborted',
  ]);
});
