import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { deployStacks } from '../../../lib/local/deploy/deploy.ts';
import { type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import { invokeThrough } from '../../../lib/local/states/lambda.ts';
import { type StatesServiceHandle, startStatesService } from '../../../lib/local/states/service.ts';
import {
  awsJson,
  clientConfig,
  emulatorOptions,
  eventually,
  NODE,
  nextMessage,
  temporaryFolder,
} from '../emulator/helpers.ts';

const folder = temporaryFolder();
let states: StatesServiceHandle;
let emulator: Emulator;
let outputs: Record<string, string>;

/** Synthesizes the small app in a separate process, as `cdk synth` does. */
function synthesize(variant: string): string {
  const assemblyDir = join(folder, `assembly-${variant}`);
  const env = { PATH: process.env.PATH, CDK_OUTDIR: assemblyDir, VARIANT: variant, CDK_VALIDATION: 'false' };
  execFileSync(NODE, [join(import.meta.dirname, 'fixtures/app.ts')], { env });
  return assemblyDir;
}

function deploy(assemblyDir: string) {
  return deployStacks({ assemblyDir, stackName: 'Small', endpoint: emulator.endpoint });
}

async function invoke(
  payload: object,
): Promise<{ failed: string | undefined; answer: Record<string, unknown> }> {
  const client = new LambdaClient(clientConfig(emulator.endpoint));
  const { FunctionError, Payload } = await client.send(
    new InvokeCommand({ FunctionName: outputs.FunctionOut, Payload: JSON.stringify(payload) }),
  );
  return { failed: FunctionError, answer: JSON.parse(Buffer.from(Payload ?? []).toString()) };
}

function describeMachine() {
  const sfn = new SFNClient(clientConfig(states.endpoint));
  return sfn.send(new DescribeStateMachineCommand({ stateMachineArn: outputs.MachineOut }));
}

/** Reads the item that the function wrote for an object. */
function recorded(pk: string) {
  const dynamo = new DynamoDBClient(clientConfig(emulator.endpoint));
  const request = new GetItemCommand({ TableName: outputs.TableOut, Key: { pk: { S: pk } } });
  return eventually(async () => (await dynamo.send(request)).Item);
}

async function put(key: string): Promise<string | undefined> {
  const client = new S3Client({ ...clientConfig(emulator.endpoint), forcePathStyle: true });
  const made = await client.send(new PutObjectCommand({ Bucket: outputs.BucketOut, Key: key, Body: 'x' }));
  return made.VersionId;
}

function cloud() {
  const AWS_ENDPOINT_URL_SAGEMAKER = 'http://127.0.0.1:9';
  const env = {
    AWS_ENDPOINT_URL_SFN: states.endpoint,
    AWS_ENDPOINT_URL_SAGEMAKER,
    LAMBDA_ASYNC_RETRY_BASE_SECONDS: '0.1',
  };
  return emulatorOptions(join(folder, 'cloud'), env);
}

beforeAll(async () => {
  // Service and emulator need each other's endpoint, so one is looked up at each call.
  const lambda = () => invokeThrough(new LambdaClient(clientConfig(emulator.endpoint)));
  states = await startStatesService({
    dataDir: join(folder, 'states'),
    invokeLambda: (call) => lambda()(call),
  });
  emulator = await startEmulator(cloud());
  const deployment = await deploy(synthesize(''));
  // First the stack that the other one refers to.
  expect(Object.entries(deployment.changes)).toEqual([
    ['Z-Data', 'created'],
    ['Small', 'created'],
  ]);
  ({ outputs } = deployment);
}, 60_000);

afterAll(async () => {
  await emulator?.close();
  await states?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a synthesized template in the local cloud', () => {
  it('has outputs with real names, and a state machine in our service', async () => {
    expect(outputs.MachineOut).toMatch(/^arn:aws:states:us-east-1:000000000000:stateMachine:Small-/);
    expect(outputs.InboxOut).toContain(emulator.endpoint);
    const machine = await describeMachine();
    const definition = JSON.parse(machine.definition ?? '{}');
    expect(definition.States.Call.Arguments.FunctionName).toMatch(
      /^arn:aws:lambda:.*:function:Small-Recorder/,
    );
    expect(machine.roleArn).toMatch(/^arn:aws:iam::000000000000:role\//);
  });

  it('runs the machine with the function', async () => {
    const sfn = new SFNClient(clientConfig(states.endpoint));
    const input = JSON.stringify({ dog: 'rex' });
    const { executionArn } = await sfn.send(
      new StartExecutionCommand({ stateMachineArn: outputs.MachineOut, input }),
    );
    const ended = await eventually(async () => {
      const execution = await sfn.send(new DescribeExecutionCommand({ executionArn }));
      return execution.status === 'RUNNING' ? undefined : execution;
    });
    expect(ended.status).toBe('SUCCEEDED');
    expect(JSON.parse(ended.output ?? '{}').Payload).toEqual({ heard: { dog: 'rex' } });
  });

  it('does nothing if nothing has changed', async () => {
    const before = await describeMachine();
    const again = await deploy(join(folder, 'assembly-'));
    expect(again.changes).toEqual({ 'Z-Data': 'unchanged', Small: 'unchanged' });
    expect(again.outputs).toEqual(outputs);
    expect((await describeMachine()).revisionId).toBe(before.revisionId);
  });

  it('processes an upload through rule, function, table and topic, with the version of the object', async () => {
    const version = await put('rex/subject.json');
    expect(version).toBeTruthy();
    expect((await recorded('rex/subject.json')).version?.S).toBe(version);
    const message = await nextMessage(emulator.endpoint, outputs.InboxOut ?? '');
    expect(message.Body).toBe('recorded rex/subject.json');
  });

  it('gives functions their environment and the endpoints of our services', async () => {
    const { answer } = await invoke({ do: 'environment' });
    expect(answer).toMatchObject({
      TABLE: outputs.TableOut,
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_ENDPOINT_URL_SFN: states.endpoint,
      AWS_ENDPOINT_URL_SAGEMAKER: 'http://127.0.0.1:9',
    });
    expect(answer.AWS_PROFILE).toBeUndefined();
    const { answer: context } = await invoke({ do: 'context' });
    expect(context.arn).toMatch(/function:Small-Recorder/);
    expect(context.left).toBeGreaterThan(0);
    expect(context.left).toBeLessThanOrEqual(2000);
  });

  it('keeps the name and message of what a function throws', async () => {
    const { failed, answer } = await invoke({
      do: 'throw',
      name: 'PhotosRejected',
      message: 'two are blurred',
    });
    expect(failed).toBe('Unhandled');
    expect(answer).toMatchObject({ errorType: 'PhotosRejected', errorMessage: 'two are blurred' });
    expect((await invoke({ do: 'nothing' })).answer).toBeNull();
  });

  it('ends a function with an endless loop, one that exits, and one with an unhandled rejection', async () => {
    const started = Date.now();
    const spun = await invoke({ do: 'spin' });
    expect(spun.answer).toMatchObject({
      errorType: 'Sandbox.Timedout',
      errorMessage: 'Task timed out after 2.00 seconds',
    });
    expect(Date.now() - started).toBeGreaterThanOrEqual(2000);
    expect((await invoke({ do: 'exit' })).answer).toMatchObject({ errorType: 'Runtime.ExitError' });
    const left = await invoke({ do: 'reject' });
    expect(left.answer).toMatchObject({
      errorType: 'Runtime.UnhandledPromiseRejection',
      errorMessage: 'TypeError: nobody waits for me',
    });
    expect((await invoke({ do: 'echo' })).answer).toEqual({ heard: { do: 'echo' } });
  });

  it('writes what a function prints to its log group', async () => {
    await invoke({ note: 'for the log' });
    const found = await eventually(async () => {
      const request = { logGroupName: outputs.LogGroupOut, filterPattern: '"for the log"' };
      const { events } = await awsJson<{ events: { message: string }[] }>(
        emulator.endpoint,
        'Logs_20140328.FilterLogEvents',
        request,
      );
      return events[0];
    });
    expect(found.message).toContain('heard {"note":"for the log"}');
  });

  it('retries a failing function and then sends the event to its failure destination', async () => {
    await put('rex/photo.bad');
    const message = await nextMessage(emulator.endpoint, outputs.FailedOut ?? '');
    expect(JSON.parse(message.Body)).toMatchObject({
      requestPayload: { detail: { object: { key: 'rex/photo.bad' } } },
      responsePayload: { errorType: 'PhotosRejected', errorMessage: 'bad photo' },
    });
  });

  it('updates in place, including the environment of the function', async () => {
    const updated = await deploy(synthesize('updated'));
    expect(updated.changes).toEqual({ 'Z-Data': 'unchanged', Small: 'updated' });
    expect(updated.outputs).toEqual(outputs);
    expect((await invoke({ do: 'environment' })).answer.VARIANT).toBe('updated');
    expect(JSON.parse((await describeMachine()).definition ?? '{}').Comment).toBe('updated');
  });

  it('is unchanged after a restart of the emulator', async () => {
    await emulator.close();
    emulator = await startEmulator(cloud());
    const again = await deploy(join(folder, 'assembly-updated'));
    expect(again).toEqual({
      outputs,
      changes: { 'Z-Data': 'unchanged', Small: 'unchanged' },
      recreated: [],
    });
    const version = await put('rex/after.json');
    expect((await recorded('rex/after.json')).version?.S).toBe(version);
    expect((await nextMessage(emulator.endpoint, outputs.InboxOut ?? '')).Body).toBe(
      'recorded rex/after.json',
    );
  });

  it('fails on a rejected machine, and is unchanged', async () => {
    const failing = deploy(synthesize('bad-machine'));
    await expect(failing).rejects.toThrow(
      /Machine\w* \(AWS::StepFunctions::StateMachine\): InvalidDefinition: .*Nowhere/,
    );
    await expect(failing).rejects.toMatchObject({ name: 'LocalCloudFailed' });
    expect(JSON.parse((await describeMachine()).definition ?? '{}').Comment).toBe('updated');
    expect((await invoke({ do: 'environment' })).answer.VARIANT).toBe('updated');
  });

  it('rejects an unsupported type by its name', async () => {
    await expect(deploy(synthesize('unsupported'))).rejects.toThrow('AWS::Strange::Thing');
  });

  it('rejects dangling references before it changes anything', async () => {
    const broken = join(folder, 'assembly-broken');
    cpSync(join(folder, 'assembly-'), broken, { recursive: true });
    const path = join(broken, 'Small.template.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"Ref": "Topic', '"Ref": "Topik'));
    await expect(deploy(broken)).rejects.toThrow(/Ref to "Topik\w+", which is not in the template/);
  });

  it('accepts events from our services, rejects other aws sources, and sends undeliverable events to the dead-letter queue', async () => {
    const config = clientConfig(emulator.endpoint);
    const events = new EventBridgeClient(config);
    const send = async (Source: string) =>
      (await events.send(new PutEventsCommand({ Entries: [{ Source, DetailType: 'x', Detail: '{"a":1}' }] })))
        .Entries?.[0];
    expect((await send('aws.ec2'))?.ErrorCode).toBe('NotAuthorizedForSourceException');
    const lambda = new LambdaClient(config);
    await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: outputs.FunctionOut }));
    await lambda.send(new DeleteFunctionCommand({ FunctionName: outputs.FunctionOut }));
    expect((await send('aws.sagemaker'))?.EventId).toBeTruthy();
    const message = await nextMessage(emulator.endpoint, outputs.UndeliverableOut ?? '');
    expect(JSON.parse(message.Body)).toMatchObject({ source: 'aws.sagemaker', detail: { a: 1 } });
    expect(message.MessageAttributes?.ERROR_CODE?.StringValue).toBe('NO_RESOURCE');
    expect(message.MessageAttributes?.RULE_ARN?.StringValue).toContain('JobChanged');
  });
});
