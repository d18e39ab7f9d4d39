import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { CallsHarness, job } from './calls-harness.ts';
import { until } from './harness.ts';
import { done } from './shapes.ts';

let cloud: CallsHarness;

beforeEach(async () => {
  cloud = await new CallsHarness().open();
});
afterEach(() => cloud.close());

describe('RedriveExecution', () => {
  it.each([
    ['RUNNING', job('A')],
    ['SUCCEEDED', { A: done }],
  ])('refuses an execution that is %s', async (status, states) => {
    const arn = await cloud.start(states);
    await until(async () => (await cloud.describe(arn)).status === status);
    await expect(cloud.redrive(arn)).rejects.toMatchObject({
      name: 'ExecutionNotRedrivable',
      message: `Execution is ${status} and cannot be redriven`,
    });
  });

  it('refuses an execution that ended more than 14 days ago', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await cloud.ended(arn);
    await cloud.clock.advance(14 * 24 * 3600);
    expect((await cloud.describe(arn)).redriveStatus).toBe('REDRIVABLE');
    await cloud.clock.advance(1);
    await expect(cloud.redrive(arn)).rejects.toMatchObject({
      name: 'ExecutionNotRedrivable',
      message: 'Execution redrivable period exceeded',
    });
    expect(await cloud.describe(arn)).toMatchObject({
      redriveStatus: 'NOT_REDRIVABLE',
      redriveStatusReason: 'Execution redrivable period exceeded',
    });
  });

  it('refuses an execution whose record does not say where it ended', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await cloud.ended(arn);
    await cloud.suspend();
    const file = join(cloud.dataDir, 'executions', 'machine-0', 'one.json');
    const { progress: _, ...record } = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify(record));
    await cloud.open();
    await expect(cloud.redrive(arn)).rejects.toMatchObject({
      name: 'ExecutionNotRedrivable',
      message: 'Execution was started before the launch of RedriveExecution',
    });
  });

  it('does nothing a second time with the same client token', async () => {
    const arn = await cloud.start(job('A'));
    await until(() => cloud.tokens.length === 1);
    await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
    const first = await cloud.redrive(arn, 'again');
    await cloud.clock.advance(60);
    expect((await cloud.redrive(arn, 'again')).redriveDate).toEqual(first.redriveDate);
    await expect(cloud.redrive(arn, 'another')).rejects.toMatchObject({ name: 'ExecutionNotRedrivable' });
    expect((await cloud.describe(arn)).redriveCount).toBe(1);
  });

  it('refuses an execution that does not exist', async () => {
    const arn = await cloud.start({ F: { Type: 'Fail' } });
    await expect(cloud.redrive(`${arn}x`)).rejects.toMatchObject({ name: 'ExecutionDoesNotExist' });
    await expect(cloud.redrive('x')).rejects.toMatchObject({ name: 'InvalidArn' });
  });
});
