import {
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  paginateListExecutions,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { Harness, ROLE } from './harness.ts';
import { PASSING, WAITING } from './shapes.ts';

let cloud: Harness;

beforeEach(async () => {
  cloud = await new Harness().open();
});
afterEach(() => cloud.close());

const start = (stateMachineArn: string, name?: string, input?: string) =>
  cloud.sfn.send(new StartExecutionCommand({ stateMachineArn, name, input }));

describe('executions', () => {
  it('start once for the same name and input while running', async () => {
    const arn = await cloud.create(WAITING);
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
    const { executionArn } = await start(await cloud.create(PASSING, 'm'));
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
      await expect(start(await cloud.create(PASSING), name)).rejects.toMatchObject({ name: 'InvalidName' });
    },
  );

  it.each(['x'.repeat(80), 'a.b-c_d@e', '..', 'größe'])('accept the name %j', async (name) => {
    expect((await start(await cloud.create(PASSING), name)).executionArn).toMatch(/:execution:/);
  });

  it('reject an input that is not JSON or is too long, and resources that do not exist', async () => {
    const arn = await cloud.create(PASSING);
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
    const { executionArn = '' } = await start(await cloud.create(WAITING), 'w');
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
    const arn = await cloud.create(WAITING);
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
