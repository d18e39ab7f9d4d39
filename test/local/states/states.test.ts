import { Harness, INVOKE, named } from './harness.ts';

let cloud: Harness;

beforeAll(async () => {
  cloud = await new Harness({
    double: ({ value }) => ({ doubled: value * 2 }),
    nothing: () => undefined,
    reject: () => {
      throw named('PhotoRejected', 'too dark');
    },
  }).open();
});
afterAll(() => cloud.close());

describe('Task', () => {
  it('invokes a function and returns its payload, status and version', async () => {
    const output = await cloud.output(
      {
        Double: {
          Type: 'Task',
          Resource: INVOKE,
          Arguments: { FunctionName: 'double', Payload: '{% $states.input %}' },
          End: true,
        },
      },
      { value: 21 },
    );
    expect(output).toEqual({ Payload: { doubled: 42 }, StatusCode: 200, ExecutedVersion: '$LATEST' });
  });

  it('sends an empty object without Payload, and reads an empty result as null', async () => {
    const output = await cloud.output({
      Nothing: {
        Type: 'Task',
        Resource: INVOKE,
        Arguments: { FunctionName: 'nothing' },
        Output: { got: '{% $states.result.Payload %}' },
        End: true,
      },
    });
    expect(output).toEqual({ got: null });
  });

  it('supports the resource of every partition and computed arguments', async () => {
    const output = await cloud.output({
      Gov: {
        Type: 'Task',
        Resource: 'arn:aws-us-gov:states:::lambda:invoke',
        Arguments: "{% {'FunctionName': 'double', 'Payload': {'value': 4}} %}",
        Output: '{% $states.result.Payload.doubled %}',
        End: true,
      },
    });
    expect(output).toBe(8);
  });

  it('fails with the error type of the function and its complete error as cause', async () => {
    const execution = await cloud.run({
      Reject: { Type: 'Task', Resource: INVOKE, Arguments: { FunctionName: 'reject' }, End: true },
    });
    expect(execution.status).toBe('FAILED');
    expect(execution.error).toBe('PhotoRejected');
    expect(JSON.parse(execution.cause ?? '')).toEqual({
      errorType: 'PhotoRejected',
      errorMessage: 'too dark',
      trace: [],
    });
    expect(execution.output).toBeUndefined();
  });

  it('names errors of the Lambda service as AWS does', async () => {
    const execution = await cloud.run({
      Missing: { Type: 'Task', Resource: INVOKE, Arguments: { FunctionName: 'absent' }, End: true },
    });
    expect(execution).toMatchObject({
      status: 'FAILED',
      error: 'Lambda.ResourceNotFoundException',
      cause: 'Function not found: absent',
    });
  });

  it('rejects computed arguments that lambda:invoke does not accept, without catching', async () => {
    const execution = await cloud.run({
      Odd: {
        Type: 'Task',
        Resource: INVOKE,
        Arguments: "{% {'FunctionName': 'double', 'Qualifier': '1'} %}",
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
        End: true,
      },
      Caught: { Type: 'Pass', End: true },
    });
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
  });
});

describe('Pass, Succeed and Fail', () => {
  it('outputs the input or the value of Output', async () => {
    expect(await cloud.output({ A: { Type: 'Pass', Next: 'B' }, B: { Type: 'Succeed' } }, { x: 1 })).toEqual({
      x: 1,
    });
    expect(
      await cloud.output(
        { A: { Type: 'Pass', Output: { y: '{% $states.input.x + 1 %}' }, End: true } },
        { x: 1 },
      ),
    ).toEqual({ y: 2 });
    expect(
      await cloud.output({ A: { Type: 'Succeed', Output: ['{% $states.input.x %}', 'plain'] } }, { x: 1 }),
    ).toEqual([1, 'plain']);
  });

  it('distinguishes null from undefined', async () => {
    expect(await cloud.output({ A: { Type: 'Pass', Output: null, End: true } })).toBeNull();
  });

  it('fails with computed error and cause', async () => {
    const execution = await cloud.run(
      { No: { Type: 'Fail', Error: "{% 'Run' & $states.input.what %}", Cause: '{% $states.input.why %}' } },
      { what: 'Stopped', why: 'asked to' },
    );
    expect(execution).toMatchObject({ status: 'FAILED', error: 'RunStopped', cause: 'asked to' });
  });

  it('fails without error or cause if a Fail state has none', async () => {
    const execution = await cloud.run({ No: { Type: 'Fail' } });
    expect(execution.status).toBe('FAILED');
    expect(execution.error).toBeUndefined();
    expect(execution.cause).toBeUndefined();
  });
});

describe('Choice', () => {
  const sort = {
    Sort: {
      Type: 'Choice',
      Choices: [
        { Condition: '{% $states.input.n > 10 %}', Next: 'Done', Output: 'big', Assign: { size: 'big' } },
        { Condition: '{% $states.input.n > 5 %}', Next: 'Done', Assign: { size: 'middle' } },
      ],
      Default: 'Done',
      Output: 'default',
      Assign: { size: 'small' },
    },
    Done: { Type: 'Pass', Output: { in: '{% $states.input %}', size: '{% $size %}' }, End: true },
  };

  it("uses the first rule that matches, with the rule's own Output and Assign", async () => {
    expect(await cloud.output(sort, { n: 11 })).toEqual({ in: 'big', size: 'big' });
    expect(await cloud.output(sort, { n: 6 })).toEqual({ in: { n: 6 }, size: 'middle' });
  });

  it("uses Default with the state's Output and Assign", async () => {
    expect(await cloud.output(sort, { n: 1 })).toEqual({ in: 'default', size: 'small' });
  });

  it('fails with States.NoChoiceMatched without a Default', async () => {
    const { Default: _, ...choices } = sort.Sort;
    const execution = await cloud.run({ ...sort, Sort: choices }, { n: 1 });
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.NoChoiceMatched' });
  });

  it('fails if a condition is neither true nor false', async () => {
    const states = {
      Sort: {
        Type: 'Choice',
        Choices: [{ Condition: '{% $states.input.n %}', Next: 'Done' }],
        Default: 'Done',
      },
      Done: { Type: 'Succeed' },
    };
    const execution = await cloud.run(states, { n: 1 });
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
    expect(execution.cause).toContain('Choices/0/Condition');
  });
});

describe('Wait', () => {
  const exits = async (arn: string): Promise<boolean> => (await cloud.types(arn)).includes('WaitStateExited');

  it('waits for exactly the seconds of an expression', async () => {
    const arn = await cloud.start(
      { W: { Type: 'Wait', Seconds: '{% $states.input.s %}', Output: 'rested', End: true } },
      { s: 90 },
    );
    await cloud.clock.advance(89.999);
    expect(await exits(arn)).toBe(false);
    await cloud.clock.advance(0.001);
    expect((await cloud.ended(arn)).output).toBe('"rested"');
  });

  it('waits until a timestamp, and not at all for one in the past', async () => {
    const at = new Date(cloud.clock.now() + 3600_000).toISOString();
    const arn = await cloud.start({ W: { Type: 'Wait', Timestamp: '{% $states.input %}', End: true } }, at);
    await cloud.clock.advance(3599);
    expect(await exits(arn)).toBe(false);
    await cloud.clock.advance(1);
    expect((await cloud.ended(arn)).status).toBe('SUCCEEDED');
    const past = await cloud.start({ W: { Type: 'Wait', Timestamp: '2020-01-01T00:00:00Z', End: true } });
    await cloud.clock.advance(0);
    expect((await cloud.ended(past)).status).toBe('SUCCEEDED');
  });

  it('fails on an invalid computed time', async () => {
    const execution = await cloud.run(
      { W: { Type: 'Wait', Timestamp: '{% $states.input %}', End: true } },
      'tomorrow',
    );
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
    const negative = await cloud.run({ W: { Type: 'Wait', Seconds: '{% -1 %}', End: true } });
    expect(negative.error).toBe('States.QueryEvaluationError');
  });
});

describe('variables', () => {
  it('are assigned together, after all expressions have seen the old values', async () => {
    const output = await cloud.output({
      First: { Type: 'Pass', Assign: { a: 1, b: 2 }, Next: 'Swap' },
      Swap: {
        Type: 'Pass',
        Assign: { a: '{% $b %}', b: '{% $a %}' },
        Output: '{% [$a, $b] %}',
        Next: 'Show',
      },
      Show: { Type: 'Pass', Output: { before: '{% $states.input %}', after: '{% [$a, $b] %}' }, End: true },
    });
    expect(output).toEqual({ before: [1, 2], after: [2, 1] });
  });

  it('are an error if they are unassigned', async () => {
    const execution = await cloud.run({ A: { Type: 'Pass', Output: '{% $absent %}', End: true } });
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
    expect(execution.cause).toContain('returned nothing (undefined)');
  });
});

describe('the context object', () => {
  it('names the execution, the machine and the state', async () => {
    const arn = await cloud.start(
      { Where: { Type: 'Pass', Output: '{% $states.context %}', End: true } },
      { x: 1 },
    );
    const execution = await cloud.ended(arn);
    const started = execution.startDate?.toISOString();
    expect(JSON.parse(execution.output ?? '')).toEqual({
      Execution: {
        Id: arn,
        Name: 'one',
        Input: { x: 1 },
        StartTime: started,
        RoleArn: 'arn:aws:iam::000000000000:role/machine',
        RedriveCount: 0,
      },
      State: { Name: 'Where', EnteredTime: started },
      StateMachine: { Id: execution.stateMachineArn, Name: execution.stateMachineArn?.split(':').at(-1) },
    });
  });
});

describe('the payload limit', () => {
  const many = (bytes: number): string => `{% $pad('', ${bytes}, 'x') %}`;

  it('allows 256 KiB and fails on one byte more with an error that cannot be caught', async () => {
    expect(await cloud.output({ A: { Type: 'Pass', Output: many(262_142), End: true } })).toHaveLength(
      262_142,
    );
    const execution = await cloud.run({ A: { Type: 'Pass', Output: many(262_143), End: true } });
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
    const caught = await cloud.run({
      A: {
        Type: 'Parallel',
        Branches: [{ StartAt: 'B', States: { B: { Type: 'Pass', Output: many(262_143), End: true } } }],
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'C' }],
        Retry: [{ ErrorEquals: ['States.ALL'] }],
        End: true,
      },
      C: { Type: 'Pass', End: true },
    });
    expect(caught).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
  });

  it('counts bytes of UTF-8, not characters', async () => {
    const execution = await cloud.run({
      A: { Type: 'Pass', Assign: { v: "{% $pad('', 131072, 'é') %}" }, End: true },
    });
    expect(execution.error).toBe('States.DataLimitExceeded');
  });
});

describe('TimeoutSeconds of the machine', () => {
  it('ends the execution as TIMED_OUT and leaves no timer behind', async () => {
    const arn = await cloud.start(
      { W: { Type: 'Wait', Seconds: 500, End: true } },
      {},
      { TimeoutSeconds: 60 },
    );
    await cloud.clock.advance(60);
    const execution = await cloud.ended(arn);
    expect(execution.status).toBe('TIMED_OUT');
    expect(execution.error).toBeUndefined();
    expect((await cloud.types(arn)).at(-1)).toBe('ExecutionTimedOut');
    expect(cloud.clock.nextIn).toBeUndefined();
  });

  it('leaves no timer behind when the execution ends before it', async () => {
    await cloud.run({ A: { Type: 'Pass', End: true } }, {}, { TimeoutSeconds: 60 });
    expect(cloud.clock.nextIn).toBeUndefined();
  });
});

describe('an endless loop', () => {
  it('does not block the API, and ends when its history is full', async () => {
    const arn = await cloud.start({
      A: { Type: 'Pass', Next: 'B' },
      B: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'End' }], Default: 'A' },
      End: { Type: 'Succeed' },
    });
    expect((await cloud.describe(arn)).status).toBe('RUNNING');
    const execution = await cloud.ended(arn);
    expect(execution).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
    expect(execution.cause).toContain('25000');
  });
});
