/**
 * Errors that AWS returns, and missing answers, reach the user as named errors, with the call and
 * what to do. A stack in the emulator stands for an account, with parts of it missing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { localContext, stackContext } from '../../lib/aws/context.ts';
import { rememberCalls } from '../../lib/aws/errors.ts';
import { beginRun, finishRun } from '../../lib/aws/table.ts';
import { main } from '../../lib/cli/main.ts';
import { printError } from '../../lib/cli/output.ts';
import { sdxlFiles, write } from '../aws/model-folders.ts';
import { Bench } from '../lambdas/bench.ts';
import { seen } from './seen.ts';
import { createStack } from './stacks.ts';

let bench: Bench;
const folder = mkdtempSync(join(tmpdir(), 'proxytune-account-'));
const OUTPUTS = {
  BucketName: 'no-bucket',
  TableName: 'ledger',
  StateMachineArn: 'none',
  JobPrefix: 'proxytune-0000-',
  TokenSecretName: 'none',
  ImportRoleArn: 'arn:aws:iam::000000000000:role/imports',
  ImageUri: '000000000000.dkr.ecr.us-east-1.amazonaws.com/proxytune:local',
};
const { ImportRoleArn: _role, ...OLDER } = OUTPUTS;

beforeAll(async () => {
  bench = await Bench.start();
  const access = { region: 'us-east-1', endpoint: bench.endpoint };
  await createStack(access, 'NoBucket', OUTPUTS);
  await createStack(access, 'NoTable', { ...OUTPUTS, TableName: 'no-table' });
  await createStack(access, 'Older', { ...OLDER, BucketName: 'lambdas-test' });
  const runId = 'rex-0a1b2c3d';
  await beginRun(bench.context, { runId, subject: 'rex', bucket: 'no-bucket' });
  await finishRun(bench.context, runId, { status: 'SUCCEEDED', endedAt: new Date().toISOString() });
  write(join(folder, 'sdxl'), sdxlFiles());
}, 120_000);

afterAll(async () => {
  await bench?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const call = (...args: string[]) => seen(() => main([...args, '--data', folder]));
const errorOf = (printed: string) => printed.slice(printed.search(/^[A-Z][A-Za-z]+: /m));

describe('what is not there', () => {
  const importing = ['import-model', 'sdxl', '--stack', 'NoBucket'];
  test.each([
    ['a table', ['status', '--stack', 'NoTable'], /^ {2}Given: DynamoDB\w* \w+: ResourceNotFoundException/m],
    ['a table', ['report', '--stack', 'NoTable'], /ResourceNotFoundException/],
    [
      'a table',
      ['generate', 'rex-0a1b2c3d', 'a {token} dog', '--stack', 'NoTable'],
      /ResourceNotFoundException/,
    ],
    ['a bucket', ['report', '--stack', 'NoBucket'], /^ {2}Given: S3 GetObject: NoSuchBucket: /m],
    [
      'a bucket',
      ['generate', 'rex-0a1b2c3d', 'a {token} dog', '--stack', 'NoBucket'],
      /S3 GetObject: NoSuchBucket/,
    ],
    ['a bucket', importing, /S3 ListObjectsV2: NoSuchBucket/],
    ['a bucket', [...importing, '--from', join(folder, 'sdxl')], /S3 \w+: NoSuchBucket/],
  ])('%s, by %j', async (_, args, given) => {
    const { code, printed } = await call(...args);
    expect(errorOf(printed)).toMatch(/^AccountFailed: AWS refused a call\n/);
    expect(printed).toMatch(given);
    expect(printed).toContain('What to do: check that the stack is fully deployed');
    expect(printed).not.toMatch(/\n\s+at /);
    expect(code).toBe(1);
  });

  test('an output, of a stack of another version', async () => {
    await bench.putModel('sdxl', '{"other": 1}');
    const { code, printed } = await call('import-model', 'sdxl', '--revision', 'main', '--stack', 'Older');
    expect(errorOf(printed)).toMatch(/^UsageInvalid: The stack has no output ImportRoleArn\n/);
    expect(printed).toContain('deploy it again');
    expect(code).toBe(2);
  });
});

test.each([
  [
    'AccessDeniedException',
    'User: me is not authorized to perform: sagemaker:ListTrainingJobs',
    'ask for permission to make this call',
  ],
  ['ExpiredTokenException', 'The security token included in the request is expired', 'sign in to AWS again'],
  ['UnrecognizedClientException', 'The security token is invalid', 'sign in to AWS again'],
  ['ValidationException', 'odd', 'retry in a few minutes'],
])('what is refused as %s is reported with a remedy', async (name, message, remedy) => {
  bench.gate.refuseNext('ListTrainingJobs', { name, message });
  const { code, printed } = await call('import-model', 'sdxl', '--stack', 'Older', '--json');
  expect(JSON.parse(printed.trim().split('\n').at(-1) ?? '')).toEqual({
    error: 'AccountFailed',
    message: expect.stringContaining(
      `Given: SageMaker ListTrainingJobs: ${name}: ${message}. What to do: ${remedy}`,
    ),
  });
  expect(code).toBe(1);
});

describe('where no answer comes', () => {
  const credentials = { accessKeyId: 'x', secretAccessKey: 'y' };
  // Nothing listens there.
  const endpoint = 'http://127.0.0.1:9';
  const read = async (s3: S3Client) => {
    try {
      await s3.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }));
    } catch (error) {
      return seen(() => printError(error, {}));
    } finally {
      s3.destroy();
    }
    throw new Error('something answers');
  };

  test('from an account, it is the account', async () => {
    const s3 = new S3Client({ region: 'us-east-1', endpoint, credentials, maxAttempts: 1 });
    rememberCalls(s3, 'account');
    const { code, printed } = await read(s3);
    expect(printed).toMatch(
      /^AccountFailed: A call to AWS got no answer\n {2}Given: S3 GetObject: .*ECONNREFUSED/,
    );
    expect(printed).toContain('retry in a few minutes');
    expect(code).toBe(1);
  });

  test('as nobody is signed in, that is reported', async () => {
    const nobody = async () => {
      throw Object.assign(new Error('Could not load credentials from any providers'), {
        name: 'CredentialsProviderError',
      });
    };
    const s3 = new S3Client({ region: 'us-east-1', endpoint, credentials: nobody, maxAttempts: 1 });
    rememberCalls(s3, 'account');
    expect((await read(s3)).printed).toMatch(
      /^AccountFailed: .*\n.*CredentialsProviderError.*\n.*sign in to AWS again/,
    );
  });

  test('from the cloud on this machine, it is that', async () => {
    const environment = { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' };
    const aws = localContext({ environment, outputs: OUTPUTS });
    const { printed } = await read(aws.s3);
    aws.close();
    expect(printed).toMatch(/^LocalCloudFailed: A service of the local cloud ended while it was in use\n/);
    expect(printed).toContain('S3 GetObject');
  });
});

test('errors that a command knows keep their meaning', async () => {
  const aws = await stackContext('Older');
  // NoSuchKey is an answer to those who ask whether an object exists.
  await expect(aws.s3.send(new GetObjectCommand({ Bucket: 'lambdas-test', Key: 'k' }))).rejects.toMatchObject(
    {
      name: 'NoSuchKey',
    },
  );
  aws.close();
  const { printed } = await call('report', 'nobody-0a1b2c3d', '--stack', 'Older');
  expect(errorOf(printed)).toMatch(/^RunUnknown: There is no such run/);
});
