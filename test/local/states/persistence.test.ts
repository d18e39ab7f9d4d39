import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DescribeStateMachineCommand,
  ListExecutionsCommand,
  SendTaskSuccessCommand,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { Harness, machine, until, WAIT_FOR_TOKEN } from './harness.ts';

let cloud: Harness;
let tokens: string[];

beforeEach(async () => {
  tokens = [];
  cloud = await new Harness({ start: ({ token }) => void tokens.push(token) }).open();
});
afterEach(() => cloud.close());

const reopen = async (): Promise<void> => {
  await cloud.suspend();
  await cloud.open();
};

const waiting = {
  Teach: {
    Type: 'Task',
    Resource: WAIT_FOR_TOKEN,
    Arguments: { FunctionName: 'start', Payload: { token: '{% $states.context.Task.Token %}' } },
    TimeoutSeconds: 60,
    End: true,
  },
};

describe('the store', () => {
  it('keeps machines and ended executions with their history unchanged', async () => {
    const arn = await cloud.start({ A: { Type: 'Pass', Output: { x: 'é' }, End: true } }, { in: 1 });
    const before = await cloud.ended(arn);
    const history = await cloud.history(arn);
    await reopen();
    const { $metadata: _, ...kept } = before;
    expect(await cloud.describe(arn)).toMatchObject(kept);
    expect(await cloud.history(arn)).toEqual(history);
    const stateMachineArn = before.stateMachineArn ?? '';
    const restored = await cloud.sfn.send(new DescribeStateMachineCommand({ stateMachineArn }));
    expect(restored.definition).toBe(machine({ A: { Type: 'Pass', Output: { x: 'é' }, End: true } }));
    await cloud.sfn.send(new StartExecutionCommand({ stateMachineArn, name: 'two' }));
    expect((await cloud.sfn.send(new ListExecutionsCommand({ stateMachineArn }))).executions).toHaveLength(2);
    await expect(
      cloud.sfn.send(new StartExecutionCommand({ stateMachineArn, name: 'one', input: '{"in":1}' })),
    ).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
  });

  it('aborts running executions after a restart, with a cause and an event, and invalidates their tokens', async () => {
    const arn = await cloud.start(waiting);
    await until(() => tokens.length === 1);
    await cloud.suspend();
    expect(cloud.clock.nextIn).toBeUndefined();
    cloud.events.length = 0;
    await cloud.clock.advance(5);
    await cloud.open();
    const execution = await cloud.describe(arn);
    expect(execution).toMatchObject({
      status: 'ABORTED',
      error: 'Local.ServiceStopped',
      stopDate: new Date(cloud.clock.now()),
    });
    expect(execution.cause).toContain('was stopped while this execution was running');
    expect(await cloud.types(arn)).toEqual(
      expect.arrayContaining(['ExecutionStarted', 'TaskStateEntered', 'ExecutionAborted']),
    );
    await until(() => cloud.events.length === 1);
    expect(cloud.events[0]?.detail).toMatchObject({ status: 'ABORTED', executionArn: arn });
    await expect(
      cloud.sfn.send(new SendTaskSuccessCommand({ taskToken: tokens[0], output: '1' })),
    ).rejects.toMatchObject({ name: 'TaskTimedOut' });
    // Only once: at the next start it has already ended.
    cloud.events.length = 0;
    await reopen();
    expect(await cloud.describe(arn)).toMatchObject({ status: 'ABORTED', stopDate: execution.stopDate });
    expect(cloud.events).toEqual([]);
  });

  it('is on disk before a call returns, so that a kill loses nothing', async () => {
    const arn = await cloud.start(waiting);
    const folder = join(cloud.dataDir, 'executions', 'machine-0');
    expect(readdirSync(folder)).toEqual(['one.json']);
    expect(JSON.parse(readFileSync(join(folder, 'one.json'), 'utf8'))).toMatchObject({
      executionArn: arn,
      status: 'RUNNING',
      input: '{}',
    });
  });

  it('distinguishes names that are not valid file names', async () => {
    const stateMachineArn = await cloud.create(machine({ A: { Type: 'Succeed' } }), '..');
    const names = ['.', '..', 'größe', '愛'.repeat(80), 'A', 'a'];
    for (const name of names) {
      const { executionArn = '' } = await cloud.sfn.send(
        new StartExecutionCommand({ stateMachineArn, name }),
      );
      await cloud.ended(executionArn);
    }
    const files = readdirSync(cloud.dataDir, { recursive: true, encoding: 'utf8' }).map((file) =>
      file.toLowerCase(),
    );
    expect(new Set(files).size).toBe(files.length);
    await reopen();
    const { executions } = await cloud.sfn.send(new ListExecutionsCommand({ stateMachineArn }));
    expect(executions?.map(({ name }) => name).sort()).toEqual([...names].sort());
  });

  it('reports a record that it cannot read and does not start', async () => {
    await cloud.run({ A: { Type: 'Succeed' } });
    await cloud.suspend();
    const file = join(cloud.dataDir, 'machines', 'machine-0.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, 20));
    await expect(cloud.open()).rejects.toThrow(file);
    writeFileSync(file, text);
    await cloud.open();
  });
});
