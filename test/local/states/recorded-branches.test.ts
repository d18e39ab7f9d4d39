/**
 * The histories of Parallel and Map as AWS was recorded to write them; the source is given in `recorded.test.ts`, the
 * name of the case with each test.
 */
import { SendTaskFailureCommand } from '@aws-sdk/client-sfn';
import { Harness, named, until } from './harness.ts';
import { map, parallel, pass, task, waiting } from './shapes.ts';

let cloud: Harness;
let tokens: string[];

beforeEach(async () => {
  tokens = [];
  cloud = await new Harness({
    f: ({ token, fail, hang }) => {
      if (token) tokens.push(token);
      if (fail) throw named('Exception', 'Some exception was raised.');
      return hang ? new Promise(() => {}) : {};
    },
  }).open();
});
afterEach(() => cloud.close());

const Caught = pass();
const catchAll = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }] };
const branch1 = { Branch1: { Type: 'Fail', Error: 'FailureType', Cause: 'Cause description' } };
const failing = (name: string): Record<string, unknown> => ({
  [name]: task({ Arguments: { FunctionName: 'f', Payload: { fail: true } } }),
});
/** Waits for a retry and lets it happen. */
const retry = async (): Promise<void> => {
  await until(() => cloud.clock.nextIn !== undefined);
  await cloud.clock.advance(1);
};

describe('Parallel', () => {
  it('records its failure once (test_parallel_state_fail)', async () => {
    const arn = await cloud.start({ ParallelState: parallel({ Branch1: { Type: 'Fail', Error: 'E' } }) });
    await cloud.ended(arn);
    expect(await cloud.lines(arn)).toEqual([
      '1 0 ExecutionStarted',
      '2 0 ParallelStateEntered',
      '3 2 ParallelStateStarted',
      '4 3 FailStateEntered',
      '5 4 ParallelStateFailed',
      '6 5 ExecutionFailed E',
    ]);
  });

  it('records its failure when it is caught (test_parallel_state_catch)', async () => {
    const arn = await cloud.start({ ParallelState: parallel(branch1, catchAll), Caught });
    await cloud.ended(arn);
    expect((await cloud.lines(arn)).slice(3)).toEqual([
      '4 3 FailStateEntered',
      '5 4 ParallelStateFailed',
      '6 5 ParallelStateExited',
      '7 6 PassStateEntered',
      '8 7 PassStateExited',
      '9 8 ExecutionSucceeded',
    ]);
  });

  it('records its failure only after the last retry (test_parallel_state_retry)', async () => {
    const Retry = [{ ErrorEquals: ['FailureType'], IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 1 }];
    const arn = await cloud.start({ ParallelState: parallel(branch1, { Retry }) });
    await retry();
    await retry();
    await cloud.ended(arn);
    expect(await cloud.lines(arn)).toEqual([
      '1 0 ExecutionStarted',
      '2 0 ParallelStateEntered',
      '3 2 ParallelStateStarted',
      '4 3 FailStateEntered',
      '5 4 ParallelStateStarted',
      '6 5 FailStateEntered',
      '7 6 ParallelStateStarted',
      '8 7 FailStateEntered',
      '9 8 ParallelStateFailed',
      '10 9 ExecutionFailed FailureType with a cause',
    ]);
  });

  it('closes the task that failed (test_sqs_failure_in_wait_for_task_tok_no_error_field)', async () => {
    const SendMessageWithWait = waiting({
      Arguments: { FunctionName: 'f', Payload: { token: '{% $states.context.Task.Token %}' } },
    });
    const arn = await cloud.start({ ParallelJob: parallel({ SendMessageWithWait }, catchAll), Caught });
    await until(async () => (await cloud.types(arn)).includes('TaskSubmitted'));
    await cloud.sfn.send(new SendTaskFailureCommand({ taskToken: tokens[0] }));
    expect((await cloud.ended(arn)).output).toBe('{"Error":null,"Cause":null}');
    expect((await cloud.lines(arn)).slice(6)).toEqual([
      '7 6 TaskSubmitted',
      '8 7 TaskFailed',
      '9 8 TaskStateAborted',
      '10 8 ParallelStateFailed',
      '11 10 ParallelStateExited',
      '12 11 PassStateEntered',
      '13 12 PassStateExited',
      '14 13 ExecutionSucceeded',
    ]);
  });

  it('closes the task that failed before each retry (test_parallel_catch_error)', async () => {
    const Retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 1 }];
    const arn = await cloud.start({
      ParallelState: parallel(failing('ExecuteLambdaTask'), { Retry, ...catchAll }),
      Caught,
    });
    await retry();
    await cloud.ended(arn);
    expect((await cloud.lines(arn)).slice(3, 16)).toEqual([
      '4 3 TaskStateEntered',
      '5 4 TaskScheduled',
      '6 5 TaskStarted',
      '7 6 TaskFailed Exception with a cause',
      '8 7 TaskStateAborted',
      '9 7 ParallelStateStarted',
      '10 9 TaskStateEntered',
      '11 10 TaskScheduled',
      '12 11 TaskStarted',
      '13 12 TaskFailed Exception with a cause',
      '14 13 TaskStateAborted',
      '15 13 ParallelStateFailed',
      '16 15 ParallelStateExited',
    ]);
  });

  it('leaves its success aside in the chain of events (test_parallel_state)', async () => {
    const arn = await cloud.start({ P: parallel({ A: pass() }) });
    await cloud.ended(arn);
    expect((await cloud.lines(arn)).slice(4)).toEqual([
      '5 4 PassStateExited',
      '6 5 ParallelStateSucceeded',
      '7 5 ParallelStateExited',
      '8 7 ExecutionSucceeded',
    ]);
  });
});

describe('Map', () => {
  const one = { Items: [1] };
  const processor = (states: Record<string, unknown>): Record<string, unknown> => ({
    StartAt: Object.keys(states)[0],
    States: states,
  });
  const HandleItemFail = { Type: 'Fail', Error: 'HandleItemFailError', Cause: 'HandleItemFailCause' };

  it('closes the other iterations and their tasks when one fails (test_service_lambda_map_timeout)', async () => {
    const LambdaInvoke = task({
      Arguments: { FunctionName: 'f', Payload: { hang: true } },
      TimeoutSeconds: 5,
    });
    const arn = await cloud.start({ MapWait: map({ Items: [1, 2, 3] }, processor({ LambdaInvoke })) });
    await until(async () => (await cloud.types(arn)).filter((type) => type === 'TaskStarted').length === 3);
    await cloud.clock.advance(5);
    await cloud.ended(arn);
    const lines = await cloud.lines(arn);
    const at = lines.findIndex((line) => line.endsWith('TaskTimedOut States.Timeout'));
    const timedOut = Number(lines[at]?.split(' ')[0]);
    // There all tasks timed out in the same moment; here the first ends the others.
    expect(lines.slice(at + 1).map((line) => line.slice(line.indexOf(' ') + 1))).toEqual([
      `${timedOut} MapIterationFailed`,
      `${timedOut} TaskStateAborted`,
      `${timedOut} MapIterationAborted`,
      `${timedOut} TaskStateAborted`,
      `${timedOut} MapIterationAborted`,
      `${timedOut} TaskStateAborted`,
      `${timedOut} MapStateFailed`,
      `${timedOut + 7} ExecutionFailed States.Timeout`,
    ]);
    const details = (await cloud.history(arn)).map((event) => event.mapIterationAbortedEventDetails);
    expect(details.filter(Boolean)).toEqual([
      { name: 'MapWait', index: 1 },
      { name: 'MapWait', index: 2 },
    ]);
  });

  it('records its failure when it is caught (test_map_state_catch)', async () => {
    const arn = await cloud.start({
      MapState: map({ ...one, ...catchAll }, processor({ HandleItemFail })),
      Caught,
    });
    await cloud.ended(arn);
    expect((await cloud.lines(arn)).slice(1, 8)).toEqual([
      '2 0 MapStateEntered',
      '3 2 MapStateStarted',
      '4 3 MapIterationStarted',
      '5 4 FailStateEntered',
      '6 5 MapIterationFailed',
      '7 5 MapStateFailed',
      '8 7 MapStateExited',
    ]);
  });

  it('records its failure only after the last retry (test_map_state_retry)', async () => {
    const Retry = [
      { ErrorEquals: ['HandleItemFailError'], IntervalSeconds: 1, MaxAttempts: 1, BackoffRate: 1 },
    ];
    const arn = await cloud.start({ MapState: map({ ...one, Retry }, processor({ HandleItemFail })) });
    await retry();
    await cloud.ended(arn);
    expect((await cloud.lines(arn)).slice(3)).toEqual([
      '4 3 MapIterationStarted',
      '5 4 FailStateEntered',
      '6 5 MapIterationFailed',
      '7 5 MapStateStarted',
      '8 7 MapIterationStarted',
      '9 8 FailStateEntered',
      '10 9 MapIterationFailed',
      '11 9 MapStateFailed',
      '12 11 ExecutionFailed HandleItemFailError with a cause',
    ]);
  });

  it('leaves successes aside in the chain of events (test_map_state_items_eval_jsonata)', async () => {
    const arn = await cloud.start({ M: map({ Items: [1, 2], MaxConcurrency: 1 }) });
    await cloud.ended(arn);
    expect((await cloud.lines(arn)).slice(2)).toEqual([
      '3 2 MapStateStarted',
      '4 3 MapIterationStarted',
      '5 4 PassStateEntered',
      '6 5 PassStateExited',
      '7 6 MapIterationSucceeded',
      '8 6 MapIterationStarted',
      '9 8 PassStateEntered',
      '10 9 PassStateExited',
      '11 10 MapIterationSucceeded',
      '12 11 MapStateSucceeded',
      '13 11 MapStateExited',
      '14 13 ExecutionSucceeded',
    ]);
  });

  it('names the state of an iteration in which an evaluation failed (test_map_catch_error)', async () => {
    const Fallback = pass({ Output: { error: '{% $stateError %}' } });
    const arn = await cloud.start({ ProcessItems: map(one, processor({ Fallback })) });
    expect((await cloud.ended(arn)).cause).toBe(
      "An error occurred while executing the state 'Fallback' (entered at the event id #5). The JSONata expression '$stateError' specified for the field 'Output/error' returned nothing (undefined).",
    );
    expect((await cloud.lines(arn)).slice(3)).toEqual([
      '4 3 MapIterationStarted',
      '5 4 PassStateEntered',
      '6 4 EvaluationFailed States.QueryEvaluationError with a cause',
      '7 6 MapIterationFailed',
      '8 6 MapStateFailed',
      '9 8 ExecutionFailed States.QueryEvaluationError with a cause',
    ]);
  });

  const AT_2 = "An error occurred while executing the state 'MapIterateState' (entered at the event id #2). ";
  const failed = [
    '1 0 ExecutionStarted',
    '2 0 MapStateEntered',
    '3 0 EvaluationFailed States.QueryEvaluationError with a cause',
    '4 3 MapStateFailed',
    '5 4 ExecutionFailed States.QueryEvaluationError with a cause',
  ];

  it.each([
    ['1', 'number', '1'],
    ["'string'", 'string', '"string"'],
    ['true', 'boolean', 'true'],
    ["{'foo': 'bar'}", 'object', '{"foo":"bar"}'],
    ['null', 'null', 'null'],
  ])('fails if Items are %s (test_map_state_items_eval_jsonata_fail)', async (items, type, value) => {
    const arn = await cloud.start({ MapIterateState: map({ Items: `{% ${items} %}` }) });
    const cause = `${AT_2}The JSONata expression '${items}' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was '${type}' for value: ${value}`;
    expect(await cloud.ended(arn)).toMatchObject({ error: 'States.QueryEvaluationError', cause });
    expect(await cloud.lines(arn)).toEqual(failed);
    expect((await cloud.history(arn))[2]?.evaluationFailedEventDetails).toEqual({
      state: 'MapIterateState',
      error: 'States.QueryEvaluationError',
      cause,
      location: 'Items',
    });
  });

  it('fails if Items are a function (test_map_state_items_eval_jsonata_fail)', async () => {
    const arn = await cloud.start({ MapIterateState: map({ Items: '{% $fn := function($x){$x} %}' }) });
    expect((await cloud.ended(arn)).cause).toBe(
      `${AT_2}The JSONata expression '$fn := function($x){$x}' specified for the field 'Items' returned an unsupported result type.`,
    );
    expect(await cloud.lines(arn)).toEqual(failed);
  });

  it.each<[string, unknown]>([
    ['1', 1],
    ['"string"', 'string'],
    ['true', true],
    ['{"foo":"bar"}', { foo: 'bar' }],
    ['null', null],
  ])('fails if its input is %s (test_map_state_items_input_types)', async (shown, input) => {
    const arn = await cloud.start({ MapIterateState: map() }, input);
    const cause = `${AT_2}Map state input must be an array but was: ${shown}`;
    expect(await cloud.ended(arn)).toMatchObject({ error: 'States.QueryEvaluationError', cause });
    expect(await cloud.lines(arn)).toEqual(failed);
    expect((await cloud.history(arn))[2]?.evaluationFailedEventDetails).toEqual({
      state: 'MapIterateState',
      error: 'States.QueryEvaluationError',
      cause,
    });
  });

  it.each<[string, unknown]>([
    ['number', 1],
    ['string', 'string'],
    ['boolean', true],
    ['object', { foo: 'bar' }],
    ['null', null],
  ])(
    'fails if a variable for Items is a %s (test_map_state_items_variable_sampling)',
    async (type, value) => {
      const arn = await cloud.start({
        Start: pass({ Assign: { ItemsVar: value }, End: undefined, Next: 'MapIterateState' }),
        MapIterateState: map({ Items: '{% $ItemsVar %}' }),
      });
      expect((await cloud.ended(arn)).cause).toBe(
        `An error occurred while executing the state 'MapIterateState' (entered at the event id #4). The JSONata expression '$ItemsVar' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was '${type}' for value: ${JSON.stringify(value)}`,
      );
      expect((await cloud.lines(arn)).slice(3)).toEqual([
        '4 3 MapStateEntered',
        '5 3 EvaluationFailed States.QueryEvaluationError with a cause',
        '6 5 MapStateFailed',
        '7 6 ExecutionFailed States.QueryEvaluationError with a cause',
      ]);
    },
  );
});
