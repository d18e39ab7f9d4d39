/** Histories of Parallel as recorded from AWS. `recorded.test.ts` gives the source; each test names its case. */
import { SendTaskFailureCommand } from '@aws-sdk/client-sfn';
import { Harness, named, until } from './harness.ts';
import { parallel, pass, task, waiting } from './shapes.ts';

let cloud: Harness;
let tokens: string[];

beforeEach(async () => {
  tokens = [];
  cloud = await new Harness({
    f: ({ token, fail }) => {
      if (token) tokens.push(token);
      if (fail) throw named('Exception', 'Some exception was raised.');
      return {};
    },
  }).open();
});
afterEach(() => cloud.close());

const Caught = pass();
const catchAll = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }] };
const branch1 = { Branch1: { Type: 'Fail', Error: 'FailureType', Cause: 'Cause description' } };

describe('Parallel', () => {
  it('records its failure once (test_parallel_state_fail)', async () => {
    expect(
      await cloud.linesOf({ ParallelState: parallel({ Branch1: { Type: 'Fail', Error: 'E' } }) }),
    ).toEqual([
      '1 0 ExecutionStarted',
      '2 0 ParallelStateEntered',
      '3 2 ParallelStateStarted',
      '4 3 FailStateEntered',
      '5 4 ParallelStateFailed',
      '6 5 ExecutionFailed E',
    ]);
  });

  it('records its failure when it is caught (test_parallel_state_catch)', async () => {
    const lines = await cloud.linesOf({ ParallelState: parallel(branch1, catchAll), Caught });
    expect(lines.slice(3)).toEqual([
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
    await cloud.retry();
    await cloud.retry();
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
    const ExecuteLambdaTask = task({ Arguments: { FunctionName: 'f', Payload: { fail: true } } });
    const arn = await cloud.start({
      ParallelState: parallel({ ExecuteLambdaTask }, { Retry, ...catchAll }),
      Caught,
    });
    await cloud.retry();
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

  it('leaves its success out of the chain of events (test_parallel_state)', async () => {
    const lines = await cloud.linesOf({ P: parallel({ A: pass() }) });
    expect(lines.slice(4)).toEqual([
      '5 4 PassStateExited',
      '6 5 ParallelStateSucceeded',
      '7 5 ParallelStateExited',
      '8 7 ExecutionSucceeded',
    ]);
  });
});
