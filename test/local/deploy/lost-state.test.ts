/**
 * A used data folder that has lost some of its state, by a full disk or a person: a deployment makes the stack work
 * again, with the data that exists. Every state file is lost once, and some together.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import {
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  LambdaClient,
  ListVersionsByFunctionCommand,
} from '@aws-sdk/client-lambda';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { type Deployment, deployStacks } from '../../../lib/local/deploy/deploy.ts';
import { type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import { invokeThrough } from '../../../lib/local/states/lambda.ts';
import { type StatesServiceHandle, startStatesService } from '../../../lib/local/states/service.ts';
import {
  clientConfig,
  emulatorOptions,
  eventually,
  NODE,
  nextMessage,
  temporaryFolder,
} from '../emulator/helpers.ts';

const folder = temporaryFolder();
/** The deployment that comes last, with a function that has its second version. */
const assemblyDir = join(folder, 'assembly');
const firstDir = join(folder, 'assembly-first');
/** A data folder that was used and closed; each case works on a copy. */
const used = join(folder, 'used');
let before: Deployment;

/** The two services that have state, and what is deployed in them. */
interface Running {
  readonly emulator: Emulator;
  readonly states: StatesServiceHandle;
  readonly deployment: Deployment;
}

async function withCloud<T>(
  data: string,
  use: (cloud: Running) => Promise<T>,
  assembly = assemblyDir,
): Promise<T> {
  let emulator: Emulator | undefined;
  const lambda = () => invokeThrough(new LambdaClient(clientConfig(emulator?.endpoint ?? '')));
  const states = await startStatesService({
    dataDir: join(data, 'states'),
    invokeLambda: (call) => lambda()(call),
  });
  try {
    const env = { AWS_ENDPOINT_URL_SFN: states.endpoint, LAMBDA_ASYNC_RETRY_BASE_SECONDS: '0.1' };
    emulator = await startEmulator(emulatorOptions(join(data, 'emulator'), env));
    const deployment = await deployStacks({
      assemblyDir: assembly,
      stackName: 'Small',
      endpoint: emulator.endpoint,
    });
    return await use({ emulator, states, deployment });
  } finally {
    await emulator?.close();
    await states.close();
  }
}

const s3Of = ({ endpoint }: Emulator) => new S3Client({ ...clientConfig(endpoint), forcePathStyle: true });

async function item({ emulator, deployment }: Running, pk: string) {
  const dynamo = new DynamoDBClient(clientConfig(emulator.endpoint));
  const request = { TableName: deployment.outputs.TableOut, Key: { pk: { S: pk } } };
  return (await dynamo.send(new GetItemCommand(request))).Item;
}

/** Uses every resource: bucket, rule, function, table, topic with its subscription, and machine. */
async function expectWorking(cloud: Running, key: string): Promise<void> {
  const { emulator, states, deployment } = cloud;
  const { outputs } = deployment;
  const made = await s3Of(emulator).send(
    new PutObjectCommand({ Bucket: outputs.BucketOut, Key: key, Body: key }),
  );
  const recorded = await eventually(() => item(cloud, key), 15);
  expect(recorded.version?.S).toBe(made.VersionId);
  expect(made.VersionId).toBeTruthy();
  await received(emulator, outputs.InboxOut, `recorded ${key}`);
  await s3Of(emulator).send(
    new PutObjectCommand({ Bucket: outputs.BucketOut, Key: `${key}.bad`, Body: 'bad' }),
  );
  await received(emulator, outputs.FailedOut, `"${key}.bad"`);
  const sfn = new SFNClient(clientConfig(states.endpoint));
  const { executionArn } = await sfn.send(
    new StartExecutionCommand({ stateMachineArn: outputs.MachineOut, input: '{"dog":"rex"}' }),
  );
  const ended = await eventually(async () => {
    const execution = await sfn.send(new DescribeExecutionCommand({ executionArn }));
    return execution.status === 'RUNNING' ? undefined : execution;
  });
  expect(ended.status).toBe('SUCCEEDED');
  await expectPermissions(emulator, outputs.FunctionOut ?? '');
}

/** Waits for a message; a queue that was not lost still has earlier ones. */
async function received({ endpoint }: Emulator, queue: string | undefined, text: string): Promise<void> {
  while (!(await nextMessage(endpoint, queue ?? '')).Body.includes(text));
}

/** The function's resource policy has a statement for each rule, and its role the policies of the template. */
async function expectPermissions({ endpoint }: Emulator, FunctionName: string): Promise<void> {
  const lambda = new LambdaClient(clientConfig(endpoint));
  const { Policy = '{}' } = await lambda.send(new GetPolicyCommand({ FunctionName }));
  expect(JSON.parse(Policy).Statement).toHaveLength(2);
  const { Role = '' } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const RoleName = Role.split('/').at(-1) ?? '';
  const names = await iam(endpoint, { Action: 'ListRolePolicies', RoleName });
  const [, PolicyName = ''] = /<member>(.*?)<\/member>/.exec(names) ?? [];
  const policy = await iam(endpoint, { Action: 'GetRolePolicy', RoleName, PolicyName });
  expect(decodeURIComponent(policy)).toContain('dynamodb:PutItem');
}

/** Calls IAM, whose client is not installed. */
async function iam(endpoint: string, request: Record<string, string>): Promise<string> {
  const authorization =
    'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0';
  const body = new URLSearchParams({ ...request, Version: '2010-05-08' });
  return (await fetch(endpoint, { method: 'POST', headers: { authorization }, body })).text();
}

/** Everything that a data folder may lose, as paths in it. */
function losses(): string[][] {
  const state = readdirSync(join(used, 'emulator/state')).map((name) => `emulator/state/${name}`);
  // Together, because the stack has nothing of its own in them but alarms and logs.
  const minor = state.filter((path) => /(cloudwatch|cloudwatch_logs|kms|ssm|sts)\.json$/.test(path));
  const major = state.filter((path) => !minor.includes(path));
  const others = ['emulator/s3', 'states', 'states/machines', 'emulator/port'];
  const single = [...major, ...others].map((path) => [path]);
  const lambda = ['emulator/state/lambda.json', 'emulator/state/lambda-blobs'];
  return [
    minor,
    ...single,
    lambda,
    // What a full disk left in the review: the stack was saved, and what it consists of was not.
    state.filter((path) => !path.includes('cloudformation')),
    ['emulator/state/cloudformation.json', ...lambda, 'states/machines'],
    ['emulator/state/cloudformation.json', 'emulator/state/eventbridge.json', 'emulator/state/iam.json'],
    state,
  ];
}

beforeAll(async () => {
  const env = { PATH: process.env.PATH, CDK_VALIDATION: 'false' };
  for (const [CDK_OUTDIR, VARIANT] of [
    [firstDir, ''],
    [assemblyDir, 'updated'],
  ])
    execFileSync(NODE, [join(import.meta.dirname, 'fixtures/app.ts')], {
      env: { ...env, CDK_OUTDIR, VARIANT },
    });
  await withCloud(used, (cloud) => expectWorking(cloud, 'first'), firstDir);
  await withCloud(used, async (cloud) => {
    before = cloud.deployment;
    await expectWorking(cloud, 'before');
  });
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs one case on a copy of the used folder. */
async function afterLoss(lost: readonly string[], check: (cloud: Running) => Promise<void>): Promise<void> {
  const data = join(folder, 'copy');
  rmSync(data, { recursive: true, force: true });
  cpSync(used, data, { recursive: true });
  for (const path of lost) {
    expect(existsSync(join(data, path))).toBe(true);
    rmSync(join(data, path), { recursive: true });
  }
  await withCloud(data, check);
}

it('works again after the loss of any state file, or of several, with the data that exists', async () => {
  const failed: string[] = [];
  for (const lost of losses()) {
    try {
      await afterLoss(lost, async (cloud) => {
        const { outputs } = cloud.deployment;
        // The names stay, by which data is found.
        for (const name of ['BucketOut', 'TableOut', 'InboxOut', 'MachineOut', 'FunctionOut'] as const) {
          if (!lost.includes('emulator/port')) expect(outputs[name]).toBe(before.outputs[name]);
        }
        if (!lost.includes('emulator/state/dynamodb.json')) expect(await item(cloud, 'before')).toBeDefined();
        if (!lost.includes('emulator/s3')) {
          const object = { Bucket: outputs.BucketOut, Key: 'before' };
          const { Body } = await s3Of(cloud.emulator).send(new GetObjectCommand(object));
          expect(await Body?.transformToString()).toBe('before');
        }
        await expectWorking(cloud, 'after');
      });
    } catch (error) {
      failed.push(`${lost.join(', ')}: ${(error as Error).stack?.split('\n').slice(0, 12).join('\n')}`);
    }
  }
  expect(failed).toEqual([]);
}, 600_000);

it('says what was created again', async () => {
  await afterLoss(['emulator/state/dynamodb.json'], async ({ deployment }) => {
    expect(deployment.recreated).toEqual([
      { id: expect.stringMatching(/^Table/), type: 'AWS::DynamoDB::Table' },
    ]);
  });
  // What was created again is kept.
  await withCloud(join(folder, 'copy'), async ({ deployment }) => expect(deployment.recreated).toEqual([]));
}, 60_000);

it('says nothing of a start at which nothing was lost', async () => {
  await afterLoss([], async ({ deployment }) => expect(deployment.recreated).toEqual([]));
}, 60_000);

it('creates again once: the start after that finds everything', async () => {
  const state = readdirSync(join(used, 'emulator/state')).map((name) => `emulator/state/${name}`);
  await afterLoss(
    state.filter((path) => !path.includes('cloudformation')),
    async ({ deployment }) => {
      const types = new Set(deployment.recreated.map(({ type }) => type));
      for (const type of ['Lambda::Function', 'Lambda::Version', 'Lambda::Permission', 'ECR::Repository'])
        expect(types).toContain(`AWS::${type}`);
    },
  );
  await withCloud(join(folder, 'copy'), async ({ deployment }) => expect(deployment.recreated).toEqual([]));
}, 60_000);

it('publishes a lost version under its number, and the next one under the next', async () => {
  await afterLoss(['emulator/state/lambda.json'], async ({ emulator, deployment }) => {
    expect(await versions(emulator, deployment)).toEqual(['2']);
    expect(deployment.recreated).toContainEqual({
      id: expect.stringMatching(/^Recorder/),
      type: 'AWS::Lambda::Version',
    });
  });
  const next = async ({ emulator, deployment }: Running) =>
    expect(await versions(emulator, deployment)).toEqual(['2', '3']);
  await withCloud(join(folder, 'copy'), next, firstDir);
}, 90_000);

/** The numbers of the function's published versions. */
async function versions({ endpoint }: Emulator, { outputs }: Deployment): Promise<(string | undefined)[]> {
  const lambda = new LambdaClient(clientConfig(endpoint));
  const request = new ListVersionsByFunctionCommand({ FunctionName: outputs.FunctionOut });
  const { Versions = [] } = await lambda.send(request);
  return Versions.map(({ Version }) => Version).filter((version) => version !== '$LATEST');
}
