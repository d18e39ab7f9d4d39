/**
 * A deployment while runs are going changes nothing for them: the state machine invokes published versions of its
 * lambdas, and an execution keeps the definition that it began with.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LambdaClient, ListVersionsByFunctionCommand } from '@aws-sdk/client-lambda';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { deployStacks } from '../../../lib/local/deploy/deploy.ts';
import { type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import { invokeThrough } from '../../../lib/local/states/lambda.ts';
import { type StatesServiceHandle, startStatesService } from '../../../lib/local/states/service.ts';
import { clientConfig, emulatorOptions, eventually, NODE, temporaryFolder } from '../emulator/helpers.ts';

/** Longer than a deployment of the fixture takes on a busy machine. */
const PAUSE_SECONDS = 15;
const folder = temporaryFolder();
let states: StatesServiceHandle;
let emulator: Emulator;
let sfn: SFNClient;
let lambdas: LambdaClient;

beforeAll(async () => {
  states = await startStatesService({
    dataDir: join(folder, 'states'),
    invokeLambda: (call) => invokeThrough(lambdas)(call),
  });
  const env = { AWS_ENDPOINT_URL_SFN: states.endpoint, AWS_ENDPOINT_URL_SAGEMAKER: 'http://127.0.0.1:9' };
  emulator = await startEmulator(emulatorOptions(join(folder, 'cloud'), env));
  lambdas = new LambdaClient(clientConfig(emulator.endpoint));
  sfn = new SFNClient(clientConfig(states.endpoint));
}, 60_000);

afterAll(async () => {
  for (const client of [sfn, lambdas]) client?.destroy();
  await emulator?.close();
  await states?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Synthesizes the fixture. @param line - code that the handler's package begins with */
function synthesize(variant: string, line = ''): string {
  const assemblyDir = join(folder, `assembly-${variant}`);
  const HANDLER = join(folder, `handler-${variant}`);
  cpSync(join(import.meta.dirname, 'fixtures/function'), HANDLER, { recursive: true });
  const file = join(HANDLER, 'index.mjs');
  writeFileSync(file, `${line}\n${readFileSync(file, 'utf8')}`);
  const env = {
    PATH: process.env.PATH,
    CDK_OUTDIR: assemblyDir,
    CDK_VALIDATION: 'false',
    VARIANT: variant,
    SECONDS: String(variant === 'first' ? PAUSE_SECONDS : 1),
    HANDLER,
  };
  execFileSync(NODE, [join(import.meta.dirname, 'fixtures/versioned.ts')], { env });
  return assemblyDir;
}

const deploy = (assemblyDir: string) =>
  deployStacks({ assemblyDir, stackName: 'Versioned', endpoint: emulator.endpoint });

async function start(stateMachineArn = ''): Promise<string> {
  const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn, input: '{}' }));
  return executionArn;
}

const describe_ = (executionArn: string) => sfn.send(new DescribeExecutionCommand({ executionArn }));

/** Settings and code of the lambda, as the last state of an execution saw them. */
async function lastCall(executionArn: string): Promise<{ VARIANT?: string; CODE?: string }> {
  const { output = '{}' } = await eventually(async () => {
    const execution = await describe_(executionArn);
    return execution.status === 'RUNNING' ? undefined : execution;
  }, 60);
  return JSON.parse(output);
}

async function versions(name = ''): Promise<string[]> {
  const { Versions = [] } = await lambdas.send(new ListVersionsByFunctionCommand({ FunctionName: name }));
  return Versions.map(({ Version = '' }) => Version).filter((version) => version !== '$LATEST');
}

test('an execution ends with the lambdas that it began with, and the next one has the new ones', async () => {
  const second = synthesize('second', 'process.env.CODE = "second";');
  const { outputs } = await deploy(synthesize('first', 'process.env.CODE = "first";'));
  expect(await versions(outputs.FunctionName)).toEqual(['1']);
  const running = await start(outputs.MachineArn);
  const { changes } = await deploy(second);
  expect(changes).toEqual({ Versioned: 'updated' });
  expect(await versions(outputs.FunctionName)).toEqual(['1', '2']);
  expect((await describe_(running)).status).toBe('RUNNING');
  const next = await start(outputs.MachineArn);
  expect(await lastCall(next)).toMatchObject({ VARIANT: 'second', CODE: 'second' });
  expect(await lastCall(running)).toMatchObject({ VARIANT: 'first', CODE: 'first' });
  // The same again publishes nothing.
  expect((await deploy(second)).changes).toEqual({ Versioned: 'unchanged' });
  expect(await versions(outputs.FunctionName)).toEqual(['1', '2']);
}, 120_000);
