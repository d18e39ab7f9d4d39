import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeStateMachineCommand,
  DescribeStateMachineForExecutionCommand,
  ListStateMachinesCommand,
  ListTagsForResourceCommand,
  StartExecutionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateStateMachineCommand,
  ValidateStateMachineDefinitionCommand,
} from '@aws-sdk/client-sfn';
import { Harness, machine, ROLE, until } from './harness.ts';
import { PASSING, WAITING } from './shapes.ts';

let cloud: Harness;

beforeEach(async () => {
  cloud = await new Harness().open();
});
afterEach(() => cloud.close());

const logging = {
  level: 'ALL' as const,
  includeExecutionData: true,
  destinations: [
    { cloudWatchLogsLogGroup: { logGroupArn: 'arn:aws:logs:us-east-1:000000000000:log-group:g:*' } },
  ],
};

describe('state machines', () => {
  it('are created, described, updated, listed and deleted', async () => {
    const { sfn } = cloud;
    const created = await sfn.send(
      new CreateStateMachineCommand({
        name: 'customize',
        definition: WAITING,
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
      definition: WAITING,
      roleArn: ROLE,
      loggingConfiguration: logging,
    });

    const { executionArn } = await sfn.send(new StartExecutionCommand({ stateMachineArn }));
    await cloud.clock.advance(1);
    const updated = await sfn.send(new UpdateStateMachineCommand({ stateMachineArn, definition: PASSING }));
    expect(updated.updateDate).toEqual(new Date(cloud.clock.now()));
    expect([before.revisionId, updated.revisionId]).toEqual([undefined, expect.any(String)]);
    expect(await sfn.send(new DescribeStateMachineCommand({ stateMachineArn }))).toMatchObject({
      definition: PASSING,
      loggingConfiguration: logging,
      creationDate: created.creationDate,
    });
    // A running execution keeps its definition.
    const original = await sfn.send(new DescribeStateMachineForExecutionCommand({ executionArn }));
    expect(original).toMatchObject({ definition: WAITING, name: 'customize' });
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
    const arn = await cloud.create(PASSING, 'twice');
    expect(await cloud.create(PASSING, 'twice')).toBe(arn);
    await expect(cloud.create(WAITING, 'twice')).rejects.toMatchObject({ name: 'StateMachineAlreadyExists' });
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
      new CreateStateMachineCommand({ name: 'm', definition: PASSING, roleArn: ROLE, ...more }),
    );
    await expect(creation).rejects.toMatchObject({ name });
    expect((await cloud.sfn.send(new ListStateMachinesCommand({}))).stateMachines).toEqual([]);
  });

  it('report where a definition is invalid and stay unchanged', async () => {
    const stateMachineArn = await cloud.create(PASSING, 'm');
    const definition = machine({ A: { Type: 'Pass', Next: 'B' } });
    await expect(
      cloud.sfn.send(new UpdateStateMachineCommand({ stateMachineArn, definition })),
    ).rejects.toThrow("the state 'B' does not exist here; the states are A at /States/A/Next");
    await expect(cloud.sfn.send(new UpdateStateMachineCommand({ stateMachineArn }))).rejects.toMatchObject({
      name: 'MissingRequiredParameter',
    });
    expect((await cloud.sfn.send(new DescribeStateMachineCommand({ stateMachineArn }))).definition).toBe(
      PASSING,
    );
  });

  it('have tags', async () => {
    const resourceArn = await cloud.create(PASSING);
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
      await cloud.sfn.send(new ValidateStateMachineDefinitionCommand({ definition: PASSING })),
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
