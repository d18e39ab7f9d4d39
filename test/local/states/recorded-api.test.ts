/** Answers of the API that were recorded from AWS; the source is given in `recorded.test.ts`, the case with each test. */
import {
  DescribeStateMachineCommand,
  DescribeStateMachineForExecutionCommand,
  ListExecutionsCommand,
  StartExecutionCommand,
  UpdateStateMachineCommand,
  ValidateStateMachineDefinitionCommand,
} from '@aws-sdk/client-sfn';
import { Harness, machine, ROLE } from './harness.ts';
import { done, map, parallel, pass, task } from './shapes.ts';

let cloud: Harness;

beforeEach(async () => {
  cloud = await new Harness().open();
});
afterEach(() => cloud.close());

describe('DescribeStateMachine', () => {
  const describeMachine = async (stateMachineArn: string) => {
    const { $metadata: _, ...members } = await cloud.sfn.send(
      new DescribeStateMachineCommand({ stateMachineArn }),
    );
    return members;
  };

  it('has the default settings, and no revision (test_base_variable_references_in_jsonata_template)', async () => {
    const stateMachineArn = await cloud.create(machine({ A: done }), 'm');
    expect(await describeMachine(stateMachineArn)).toEqual({
      creationDate: new Date(cloud.clock.now()),
      definition: machine({ A: done }),
      encryptionConfiguration: { type: 'AWS_OWNED_KEY' },
      loggingConfiguration: { includeExecutionData: false, level: 'OFF' },
      name: 'm',
      roleArn: ROLE,
      stateMachineArn,
      status: 'ACTIVE',
      tracingConfiguration: { enabled: false },
      type: 'STANDARD',
    });
  });

  it('has a new revision after a change only (test_create_update_state_machine_same_parameters)', async () => {
    const stateMachineArn = await cloud.create(machine({ A: done }));
    const definition = machine({ B: done });
    const update = async (): Promise<string | undefined> =>
      (await cloud.sfn.send(new UpdateStateMachineCommand({ stateMachineArn, definition }))).revisionId;
    const revision = await update();
    expect(revision).toEqual(expect.any(String));
    expect(await update()).toBe(revision);
    expect((await describeMachine(stateMachineArn)).revisionId).toBe(revision);
  });

  it('names the variables that each state reads (test_base_variable_references_in_assign_templates)', async () => {
    const definition = machine({
      Setup: pass({ Assign: { guess: 'a', answer: 'b', unread: 1 }, End: undefined, Next: 'CheckAnswer' }),
      CheckAnswer: {
        Type: 'Choice',
        Choices: [{ Condition: '{% $guess = $answer %}', Next: 'Done', Assign: { won: true } }],
        Default: 'WrongAnswer',
      },
      WrongAnswer: pass({
        Assign: { guess: '{% $answer & $string($states.input.x) %}' },
        End: undefined,
        Next: 'P',
      }),
      P: parallel(
        { Inner: task({ Arguments: { FunctionName: 'f', Payload: { x: ['{% $won %}'] } } }) },
        {
          End: undefined,
          Next: 'M',
        },
      ),
      M: map({ Items: '{% ($local := [$guess]; $local) %}', End: undefined, Next: 'Done' }),
      Done: done,
    });
    const stateMachineArn = await cloud.create(definition);
    const variableReferences = {
      CheckAnswer: ['answer', 'guess'],
      WrongAnswer: ['answer'],
      Inner: ['won'],
      M: ['guess'],
    };
    expect((await describeMachine(stateMachineArn)).variableReferences).toEqual(variableReferences);
    const { executionArn } = await cloud.sfn.send(new StartExecutionCommand({ stateMachineArn }));
    expect(
      (await cloud.sfn.send(new DescribeStateMachineForExecutionCommand({ executionArn })))
        .variableReferences,
    ).toEqual(variableReferences);
  });
});

describe('executions', () => {
  it('that succeeded cannot be redriven (test_describe_execution, test_start_execution)', async () => {
    const execution = await cloud.run({ A: done });
    expect(execution).toMatchObject({
      redriveCount: 0,
      redriveStatus: 'NOT_REDRIVABLE',
      redriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven',
    });
    const { stateMachineArn } = execution;
    const { executions } = await cloud.sfn.send(new ListExecutionsCommand({ stateMachineArn }));
    expect(executions).toMatchObject([{ status: 'SUCCEEDED', redriveCount: 0 }]);
  });

  it('that failed can be redriven, and have no error without one (test_state_fail_empty)', async () => {
    const { $metadata: _, ...members } = await cloud.run({ FailState: { Type: 'Fail' } });
    expect(members).toEqual({
      executionArn: expect.any(String),
      input: '{}',
      inputDetails: { included: true },
      name: 'one',
      redriveCount: 0,
      redriveStatus: 'REDRIVABLE',
      startDate: expect.any(Date),
      stateMachineArn: expect.any(String),
      status: 'FAILED',
      stopDate: expect.any(Date),
    });
  });

  it('that timed out can be redriven, and have no error (test_global_timeout)', async () => {
    const wait = { A: { Type: 'Wait', Seconds: 60, End: true } };
    const arn = await cloud.start(wait, {}, { TimeoutSeconds: 5 });
    await cloud.clock.advance(5);
    const execution = await cloud.ended(arn);
    expect(execution).toMatchObject({ status: 'TIMED_OUT', redriveStatus: 'REDRIVABLE' });
    expect([execution.error, execution.cause]).toEqual([undefined, undefined]);
  });

  it('of a Standard machine do not run synchronously (test_start_sync_execution)', async () => {
    const stateMachineArn = await cloud.create(machine({ A: done }));
    // Not through the SDK, which puts "sync-" before the host.
    const response = await fetch(cloud.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': 'AWSStepFunctions.StartSyncExecution' },
      body: JSON.stringify({ stateMachineArn }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      __type: 'StateMachineTypeNotSupported',
      message: 'This operation is not supported by this type of state machine',
    });
  });
});

describe('ValidateStateMachineDefinition', () => {
  const validate = (definition: string) =>
    cloud.sfn.send(new ValidateStateMachineDefinitionCommand({ definition }));

  it.each([
    ['a machine without StartAt', JSON.stringify({ QueryLanguage: 'JSONata', States: { A: done } })],
    ['an empty object', '{}'],
  ])('locates %s at the root (test_validate_state_machine_definition)', async (_, definition) => {
    const { result, diagnostics, truncated } = await validate(definition);
    expect([result, truncated]).toEqual(['FAIL', false]);
    expect(diagnostics).toContainEqual({
      code: 'SCHEMA_VALIDATION_FAILED',
      location: '/',
      message: expect.stringContaining('StartAt'),
      severity: 'ERROR',
    });
  });

  it('rejects an empty text without a location (test_validate_state_machine_definition_not_a_definition)', async () => {
    const { result, diagnostics } = await validate('');
    expect(result).toBe('FAIL');
    expect(diagnostics).toEqual([
      { code: 'SCHEMA_VALIDATION_FAILED', message: expect.any(String), severity: 'ERROR' },
    ]);
  });

  it('rejects a text that is not JSON (test_validate_state_machine_definition_not_a_definition)', async () => {
    const { result, diagnostics } = await validate('not a definition');
    expect(result).toBe('FAIL');
    expect(diagnostics?.map(({ code }) => code)).toEqual(['INVALID_JSON_DESCRIPTION']);
  });
});
