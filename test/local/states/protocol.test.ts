import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeStateMachineCommand,
  DescribeStateMachineForExecutionCommand,
  GetExecutionHistoryCommand,
  ListActivitiesCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  ListTagsForResourceCommand,
  paginateGetExecutionHistory,
  paginateListExecutions,
  SendTaskSuccessCommand,
  StartExecutionCommand,
  StopExecutionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateStateMachineCommand,
  ValidateStateMachineDefinitionCommand,
} from '@aws-sdk/client-sfn';
import { Harness, machine, ROLE, until } from './harness.ts';

let cloud: Harness;

beforeEach(async () => {
  cloud = await new Harness().open();
});
afterEach(() => cloud.close());

const pass = machine({ A: { Type: 'Pass', End: true } });
const wait = machine({ W: { Type: 'Wait', Seconds: 100, End: true } });
const logging = {
  level: 'ALL' as const,
  includeExecutionData: true,
  destinations: [
    { cloudWatchLogsLogGroup: { logGroupArn: 'arn:aws:logs:us-east-1:000000000000:log-group:g:*' } },
  ],
};

const start = (stateMachineArn: string, name?: string, input?: string) =>
  cloud.sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }));

describe('state machines', () => {
  it('are created, described, updated, listed and deleted', async () => {
    const { sfn } = cloud;
    const created = await sfn.send(
      new CreateStateMachineCommand({
        name: 'customize',
        definition: wait,
        roleArn: ROLE,
        type: 'STANDARD',
        loggingConfiguration: logging,
        tags: [{ key: 'app', value: 'proxytune' }],
      }),
    );
    const stateMachineArn = 'arn:aws:states:us-east-1:000000000000:stateMachine:customize';
    expect(created).toMatchObject({ stateMachineArn, creationDate: new Date(cloud.clock.now()) });
    const before = await sfn.send(new DescribeStateMachineCommand({ stateMachineArn }));
    expect(before).toMatchObject({
      name: 'customize',
      status: 'ACTIVE',
      type: 'STANDARD',
      definition: wait,
      roleArn: ROLE,
      loggingConfiguration: logging,
    });

    const started = await start(stateMachineArn, 'running');
    await cloud.clock.advance(1);
    const updated = await sfn.send(new UpdateStateMachineCommand({ stateMachineArn, definition: pass }));
    expect(updated.updateDate).toEqual(new Date(cloud.clock.now()));
    expect([before.revisionId, updated.revisionId]).toEqual([undefined, expect.any(String)]);
    expect(await sfn.send(new DescribeStateMachineCommand({ stateMachineArn }))).toMatchObject({
      definition: pass,
      loggingConfiguration: logging,
      creationDate: created.creationDate,
    });
    // A running execution keeps its definition.
    const { executionArn } = started;
    const original = await sfn.send(new DescribeStateMachineForExecutionCommand({ executionArn }));
    expect(original).toMatchObject({ definition: wait, name: 'customize' });
    expect(original.revisionId).toBeUndefined();

    expect((await sfn.send(new ListStateMachinesCommand({}))).stateMachines).toEqual([
      { stateMachineArn, name: 'customize', type: 'STANDARD', creationDate: created.creationDate },
    ]);
    await sfn.send(new DeleteStateMachineCommand({ stateMachineArn }));
    await sfn.send(new DeleteStateMachineCommand({ stateMachineArn }));
    await expect(sfn.send(new DescribeStateMachineCommand({ stateMachineArn }))).rejects.toMatchObject({
      name: 'StateMachineDoesNotExist',
    });
    await expect(cloud.describe(executionArn ?? '')).rejects.toMatchObject({ name: 'ExecutionDoesNotExist' });
    expect(cloud.clock.nextIn).toBeUndefined();
    await until(() => cloud.events.length === 2);
    expect(cloud.events.at(-1)?.detail.status).toBe('ABORTED');
  });

  it('can be created again if identical, but not differently', async () => {
    const arn = await cloud.create(pass, 'twice');
    expect(await cloud.create(pass, 'twice')).toBe(arn);
    await expect(cloud.create(wait, 'twice')).rejects.toMatchObject({ name: 'StateMachineAlreadyExists' });
  });

  it.each<[string, string, Record<string, unknown>]>([
    ['a bad definition', 'InvalidDefinition', { definition: machine({ A: { Type: 'Pass', Next: 'B' } }) }],
    [
      'an operator that the JSONata of AWS does not have',
      'InvalidDefinition',
      { definition: machine({ A: { Type: 'Pass', Output: '{% $states.input.x ?? 1 %}', End: true } }) },
    ],
    ['a bad name', 'InvalidName', { name: 'a b' }],
    ['a bad role', 'InvalidArn', { roleArn: 'machine' }],
    ['an Express machine', 'StateMachineTypeNotSupported', { type: 'EXPRESS' }],
    ['a version', 'ValidationException', { publish: true }],
    ['no definition', 'ValidationException', { definition: '' }],
  ])('are rejected with %s', async (_, name, more) => {
    const creation = cloud.sfn.send(
      new CreateStateMachineCommand({ name: 'm', definition: pass, roleArn: ROLE, ...more }),
    );
    await expect(creation).rejects.toMatchObject({ name });
    expect((await cloud.sfn.send(new ListStateMachinesCommand({}))).stateMachines).toEqual([]);
  });

  it('report where a definition is invalid and stay unchanged', async () => {
    const stateMachineArn = await cloud.create(pass, 'm');
    const definition = machine({ A: { Type: 'Pass', Next: 'B' } });
    await expect(
      cloud.sfn.send(new UpdateStateMachineCommand({ stateMachineArn, definition })),
    ).rejects.toThrow("the state 'B' does not exist here; the states are A at /States/A/Next");
    await expect(cloud.sfn.send(new UpdateStateMachineCommand({ stateMachineArn }))).rejects.toMatchObject({
      name: 'MissingRequiredParameter',
    });
    expect((await cloud.sfn.send(new DescribeStateMachineCommand({ stateMachineArn }))).definition).toBe(
      pass,
    );
  });

  it('have tags', async () => {
    const resourceArn = await cloud.create(pass);
    await cloud.sfn.send(
      new TagResourceCommand({
        resourceArn,
        tags: [
          { key: 'a', value: '1' },
          { key: 'b', value: '2' },
        ],
      }),
    );
    await cloud.sfn.send(new UntagResourceCommand({ resourceArn, tagKeys: ['a'] }));
    expect((await cloud.sfn.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual([
      { key: 'b', value: '2' },
    ]);
    await expect(
      cloud.sfn.send(new ListTagsForResourceCommand({ resourceArn: `${resourceArn}x` })),
    ).rejects.toMatchObject({ name: 'ResourceNotFound' });
  });

  it('can be validated without being created', async () => {
    expect(
      await cloud.sfn.send(new ValidateStateMachineDefinitionCommand({ definition: pass })),
    ).toMatchObject({ result: 'OK', diagnostics: [] });
    const wrong = await cloud.sfn.send(
      new ValidateStateMachineDefinitionCommand({ definition: machine({ A: { Type: 'Pass', Next: 'B' } }) }),
    );
    expect(wrong).toMatchObject({
      result: 'FAIL',
      diagnostics: [{ code: 'MISSING_TRANSITION_TARGET', location: '/States/A/Next', severity: 'ERROR' }, {}],
    });
  });
});

describe('executions', () => {
  it('start once for the same name and input while running', async () => {
    const arn = await cloud.create(wait);
    const first = await start(arn, 'run-1', '{"a":1}');
    await cloud.clock.advance(1);
    const again = await start(arn, 'run-1', '{"a":1}');
    expect(again).toMatchObject({ executionArn: first.executionArn, startDate: first.startDate });
    await expect(start(arn, 'run-1', '{"a":2}')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    await cloud.clock.advance(100);
    await cloud.ended(first.executionArn ?? '');
    await expect(start(arn, 'run-1', '{"a":1}')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    expect(cloud.log.filter((line) => line.includes('RUNNING'))).toHaveLength(1);
  });

  it('have a generated name and an empty input by default', async () => {
    const { executionArn } = await start(await cloud.create(pass, 'm'));
    const execution = await cloud.ended(executionArn ?? '');
    expect(executionArn).toBe(`arn:aws:states:us-east-1:000000000000:execution:m:${execution.name}`);
    expect(execution).toMatchObject({
      input: '{}',
      output: '{}',
      inputDetails: { included: true },
      outputDetails: { included: true },
    });
  });

  it.each(['', 'a b', 'a/b', 'a:b', 'a*', 'a"b', 'a,b', 'a\u0007', 'x'.repeat(81), 'a$b', '{a}'])(
    'reject the name %j',
    async (name) => {
      await expect(start(await cloud.create(pass), name)).rejects.toMatchObject({ name: 'InvalidName' });
    },
  );

  it.each(['x'.repeat(80), 'a.b-c_d@e', '..', 'größe'])('accept the name %j', async (name) => {
    expect((await start(await cloud.create(pass), name)).executionArn).toMatch(/:execution:/);
  });

  it('reject an input that is not JSON or is too long, and resources that do not exist', async () => {
    const arn = await cloud.create(pass);
    await expect(start(arn, 'a', '{')).rejects.toMatchObject({ name: 'InvalidExecutionInput' });
    await expect(start(arn, 'a', JSON.stringify('é'.repeat(131_072)))).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await expect(start(`${arn}x`)).rejects.toMatchObject({ name: 'StateMachineDoesNotExist' });
    await expect(start('machine')).rejects.toMatchObject({ name: 'InvalidArn' });
    await expect(cloud.describe(`${arn.replace('stateMachine', 'execution')}:x`)).rejects.toMatchObject({
      name: 'ExecutionDoesNotExist',
    });
    await expect(cloud.describe(arn)).rejects.toMatchObject({ name: 'InvalidArn' });
  });

  it('can be stopped once; an ended one does not change', async () => {
    const { executionArn = '' } = await start(await cloud.create(wait), 'w');
    const stopped = await cloud.sfn.send(new StopExecutionCommand({ executionArn, error: 'E', cause: 'C' }));
    expect(await cloud.describe(executionArn)).toMatchObject({
      status: 'ABORTED',
      error: 'E',
      cause: 'C',
      stopDate: stopped.stopDate,
    });
    await cloud.clock.advance(500);
    expect(
      (await cloud.sfn.send(new StopExecutionCommand({ executionArn, error: 'later' }))).stopDate,
    ).toEqual(stopped.stopDate);
    expect(await cloud.describe(executionArn)).toMatchObject({ status: 'ABORTED', error: 'E' });
  });

  it('are listed newest first, by status and page by page', async () => {
    const arn = await cloud.create(wait);
    for (const name of ['a', 'b', 'c']) {
      await start(arn, name);
      await cloud.clock.advance(1);
    }
    await cloud.sfn.send(
      new StopExecutionCommand({ executionArn: `${arn.replace('stateMachine', 'execution')}:b` }),
    );
    const pages: (string | undefined)[][] = [];
    for await (const page of paginateListExecutions(
      { client: cloud.sfn, pageSize: 2 },
      { stateMachineArn: arn },
    ))
      pages.push((page.executions ?? []).map(({ name }) => name));
    expect(pages).toEqual([['c', 'b'], ['a']]);
    const running = await cloud.sfn.send(
      new ListExecutionsCommand({ stateMachineArn: arn, statusFilter: 'RUNNING' }),
    );
    expect(running.executions?.map(({ name, status }) => [name, status])).toEqual([
      ['c', 'RUNNING'],
      ['a', 'RUNNING'],
    ]);
  });
});

describe('the history', () => {
  it('can be read in pages, in reverse order and without data', async () => {
    const executionArn = await cloud.start(
      { A: { Type: 'Pass', Assign: { x: 1 }, End: true } },
      { secret: 1 },
    );
    await cloud.ended(executionArn);
    const types: string[] = [];
    for await (const page of paginateGetExecutionHistory(
      { client: cloud.sfn, pageSize: 3 },
      { executionArn },
    ))
      types.push(...(page.events ?? []).map(({ type }) => String(type)));
    expect(types).toEqual(['ExecutionStarted', 'PassStateEntered', 'PassStateExited', 'ExecutionSucceeded']);
    const reversed = await cloud.sfn.send(
      new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, includeExecutionData: false }),
    );
    expect(reversed.events?.map(({ type }) => type)).toEqual([...types].reverse());
    expect(JSON.stringify(reversed)).not.toContain('secret');
    const [startedEvent, , exited] = await cloud.history(executionArn);
    expect(startedEvent?.executionStartedEventDetails).toMatchObject({
      input: '{"secret":1}',
      roleArn: ROLE,
    });
    expect(exited?.stateExitedEventDetails).toMatchObject({
      name: 'A',
      output: '{"secret":1}',
      assignedVariables: { x: '1' },
    });
  });
});

describe('status changes', () => {
  it('are published in the format of EventBridge', async () => {
    const executionArn = await cloud.start({ F: { Type: 'Fail', Error: 'No', Cause: 'because' } }, { a: 1 });
    await cloud.ended(executionArn);
    await until(() => cloud.events.length === 2);
    expect(cloud.events.map(({ detail }) => detail.status)).toEqual(['RUNNING', 'FAILED']);
    const time = cloud.clock.now();
    expect(cloud.events[1]).toMatchObject({
      version: '0',
      source: 'aws.states',
      'detail-type': 'Step Functions Execution Status Change',
      account: '000000000000',
      region: 'us-east-1',
      time: '2026-01-01T00:00:00Z',
      resources: [executionArn],
      detail: {
        executionArn,
        name: 'one',
        status: 'FAILED',
        startDate: time,
        stopDate: time,
        input: '{"a":1}',
        output: null,
        error: 'No',
        cause: 'because',
      },
    });
  });

  it('that cannot be published are logged and have no other effect', async () => {
    const other = await new Harness(
      {},
      {
        onStatusChange: () => {
          throw new Error('the bus is down');
        },
      },
    ).open();
    try {
      expect(await other.output({ A: { Type: 'Pass', Output: 1, End: true } })).toBe(1);
      await until(() => other.log.filter((line) => line.includes('the bus is down')).length === 2);
    } finally {
      await other.close();
    }
  });
});

describe('the protocol', () => {
  const post = (target: string, body: string): Promise<Response> =>
    fetch(cloud.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.0' },
      body,
    });

  it('listens on 127.0.0.1 only', () => {
    expect(cloud.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('uses AWS JSON 1.0', async () => {
    const response = await post('AWSStepFunctions.ListStateMachines', '{}');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-amz-json-1.0');
    expect(await response.json()).toEqual({ stateMachines: [] });
  });

  it.each([
    ['AWSStepFunctions.ListStateMachines', '{', 'SerializationException'],
    ['AWSStepFunctions.ListStateMachines', '[]', 'SerializationException'],
    ['AWSStepFunctions.ListStateMachines', '{"maxResults":-1}', 'ValidationException'],
    ['AWSStepFunctions.ListStateMachines', '{"nextToken":"x"}', 'ValidationException'],
    ['AWSStepFunctions.ListStateMachines', 'null', 'SerializationException'],
    ['AWSStepFunctions.constructor', '{}', 'UnknownOperationException'],
    ['AWSStepFunctions.__proto__', '{}', 'UnknownOperationException'],
    ['AWSStepFunctions.toString', '{}', 'UnknownOperationException'],
    ['DynamoDB.ListTables', '{}', 'UnknownOperationException'],
    ['AWSStepFunctions.SendTaskHeartbeat', '{}', 'ValidationException'],
  ])('rejects %s with %s: %s', async (target, body, type) => {
    const response = await post(target, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ __type: type });
  });

  it('reports an unknown operation', async () => {
    await expect(cloud.sfn.send(new ListActivitiesCommand({}))).rejects.toMatchObject({
      name: 'UnknownOperationException',
    });
  });

  it('checks the length of a token', async () => {
    await expect(
      cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: 'x'.repeat(2049), output: '1' })),
    ).rejects.toMatchObject({ name: 'ValidationException' });
  });
});
