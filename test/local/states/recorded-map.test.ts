/** Histories of Map as recorded from AWS. `recorded.test.ts` gives the source; each test names its case. */
import { Harness, until } from './harness.ts';
import { map, pass, task } from './shapes.ts';

let cloud: Harness;

beforeEach(async () => {
  // The function never returns.
  cloud = await new Harness({ f: () => new Promise(() => {}) }).open();
});
afterEach(() => cloud.close());

describe('Map', () => {
  const Caught = pass();
  const catchAll = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }] };
  const one = { Items: [1] };
  const processor = (states: Record<string, unknown>): Record<string, unknown> => ({
    StartAt: Object.keys(states)[0],
    States: states,
  });
  const HandleItemFail = { Type: 'Fail', Error: 'HandleItemFailError', Cause: 'HandleItemFailCause' };

  it('closes the other iterations and their tasks when one fails (test_service_lambda_map_timeout)', async () => {
    const LambdaInvoke = task({
      Arguments: { FunctionName: 'f' },
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
    const lines = await cloud.linesOf({
      MapState: map({ ...one, ...catchAll }, processor({ HandleItemFail })),
      Caught,
    });
    expect(lines.slice(1, 8)).toEqual([
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
    await cloud.retry();
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

  it('leaves successes out of the chain of events (test_map_state_items_eval_jsonata)', async () => {
    const lines = await cloud.linesOf({ M: map({ Items: [1, 2], MaxConcurrency: 1 }) });
    expect(lines.slice(2)).toEqual([
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
  async function expectFailure(arn: string, cause: string, location?: string): Promise<void> {
    const error = 'States.QueryEvaluationError';
    expect(await cloud.ended(arn)).toMatchObject({ error, cause });
    expect(await cloud.lines(arn)).toEqual(failed);
    const details = (await cloud.history(arn))[2]?.evaluationFailedEventDetails;
    expect(details).toEqual({ state: 'MapIterateState', error, cause, location });
  }

  it.each([
    ['1', 'number', '1'],
    ["'string'", 'string', '"string"'],
    ['true', 'boolean', 'true'],
    ["{'foo': 'bar'}", 'object', '{"foo":"bar"}'],
    ['null', 'null', 'null'],
  ])('fails if Items are %s (test_map_state_items_eval_jsonata_fail)', async (items, type, value) => {
    const arn = await cloud.start({ MapIterateState: map({ Items: `{% ${items} %}` }) });
    const cause = `${AT_2}The JSONata expression '${items}' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was '${type}' for value: ${value}`;
    await expectFailure(arn, cause, 'Items');
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
    await expectFailure(arn, cause);
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
