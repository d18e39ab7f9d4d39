import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateFunctionCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { zipFolder } from '../../../lib/local/deploy/zip.ts';
import { choosePort, type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import {
  alive,
  clientConfig,
  createRole,
  emulatorOptions,
  eventually,
  NODE,
  REPAIRS_PARENT,
  temporaryFolder,
} from './helpers.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function clients(endpoint: string) {
  const config = clientConfig(endpoint);
  return {
    s3: new S3Client({ ...config, forcePathStyle: true }),
    dynamo: new DynamoDBClient(config),
    lambda: new LambdaClient(config),
  };
}

/** Creates a bucket with two versions of an object, a table with an item, and a function. Returns the first version. */
async function furnish(endpoint: string): Promise<string | undefined> {
  const { s3, dynamo, lambda } = clients(endpoint);
  await s3.send(new CreateBucketCommand({ Bucket: 'lasting' }));
  const VersioningConfiguration = { Status: 'Enabled' as const };
  await s3.send(new PutBucketVersioningCommand({ Bucket: 'lasting', VersioningConfiguration }));
  const { VersionId } = await s3.send(new PutObjectCommand({ Bucket: 'lasting', Key: 'a/b', Body: 'first' }));
  await s3.send(new PutObjectCommand({ Bucket: 'lasting', Key: 'a/b', Body: 'second' }));
  await dynamo.send(
    new CreateTableCommand({
      TableName: 'lasting',
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );
  await dynamo.send(new PutItemCommand({ TableName: 'lasting', Item: { pk: { S: 'k' }, n: { N: '1.5' } } }));
  const code = join(folder, 'pid-function');
  mkdirSync(code, { recursive: true });
  const source = `exports.handler = async ({ wait }) => { if (wait) await new Promise(() => {}); return process.pid; };
    setInterval(() => {}, 1000);`;
  writeFileSync(join(code, 'index.js'), source);
  const role = await createRole(endpoint, 'any', { Principal: { Service: 'lambda.amazonaws.com' } });
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'pid',
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: role,
      Timeout: 60,
      Code: { ZipFile: await zipFolder(code) },
    }),
  );
  return VersionId;
}

async function expectFurnished(endpoint: string, firstVersion: string | undefined): Promise<void> {
  const { s3, dynamo } = clients(endpoint);
  const read = async (VersionId?: string) => {
    const at = { Bucket: 'lasting', Key: 'a/b', ...(VersionId === undefined ? {} : { VersionId }) };
    return await (await s3.send(new GetObjectCommand(at))).Body?.transformToString();
  };
  expect(await read()).toBe('second');
  expect(await read(firstVersion)).toBe('first');
  const { Item } = await dynamo.send(new GetItemCommand({ TableName: 'lasting', Key: { pk: { S: 'k' } } }));
  expect(Item?.n?.N).toBe('1.5');
  expect(await pidOfFunction(endpoint)).toBeGreaterThan(1);
}

async function pidOfFunction(endpoint: string): Promise<number> {
  const answer = await clients(endpoint).lambda.send(
    new InvokeCommand({ FunctionName: 'pid', Payload: '{}' }),
  );
  return Number(Buffer.from(answer.Payload ?? []).toString());
}

describe('startEmulator', () => {
  it('keeps its data, ends its functions, and uses the same port again', async () => {
    const options = emulatorOptions(join(folder, 'lasting'));
    const first = await startEmulator(options);
    const version = await furnish(first.endpoint);
    const functionPid = await pidOfFunction(first.endpoint);
    expect(alive(functionPid)).toBe(true);
    // A long invocation does not delay the end.
    const client = clients(first.endpoint).lambda;
    const cut = client.send(new InvokeCommand({ FunctionName: 'pid', Payload: '{"wait":1}' })).then(
      ({ FunctionError }) => FunctionError ?? 'answered',
      () => 'cut off',
    );
    await sleep(300);
    await first.close();
    expect(['Unhandled', 'cut off']).toContain(await cut);
    expect(alive(first.pid)).toBe(false);
    expect(alive(functionPid)).toBe(false);
    const second = await startEmulator(options);
    try {
      expect(second.endpoint).toBe(first.endpoint);
      await expectFurnished(second.endpoint, version);
    } finally {
      await second.close();
    }
  }, 60_000);

  it('keeps data that is a few seconds old even if it is killed', async () => {
    const options = emulatorOptions(join(folder, 'killed'));
    const first = await startEmulator(options);
    const version = await furnish(first.endpoint);
    await sleep(4000);
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    await first.close();
    const second = await startEmulator(options);
    try {
      await expectFurnished(second.endpoint, version);
    } finally {
      await second.close();
    }
  }, 60_000);

  it('ends with its parent, and its functions with it', async () => {
    const script = join(folder, 'parent.ts');
    const module = JSON.stringify(join(REPAIRS_PARENT, 'start.ts'));
    const options = JSON.stringify(emulatorOptions(join(folder, 'orphan')));
    writeFileSync(
      script,
      `import { startEmulator } from ${module};
       const { pid, endpoint } = await startEmulator(${options});
       console.log(JSON.stringify({ pid, endpoint }));
       setInterval(() => {}, 1000);`,
    );
    const parent = spawn(NODE, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await new Promise<string[]>((heard) => {
      createInterface(parent.stdout).once('line', (text) => heard([text]));
    });
    const { pid, endpoint } = JSON.parse(line ?? '{}') as { pid: number; endpoint: string };
    await furnish(endpoint);
    const functionPid = await pidOfFunction(endpoint);
    parent.kill('SIGKILL');
    await eventually(async () => (alive(pid) || alive(functionPid) ? undefined : true));
  }, 60_000);

  it('puts all temporary files of itself and its functions into its folder', async () => {
    const dataDir = join(folder, 'temporary');
    const port = await choosePort(join(folder, 'none-remembered'));
    // What another user of this machine could have planted, under the name that MiniStack would use.
    const planted = join(tmpdir(), `ministack-provided-code-${port}`);
    mkdirSync(planted);
    const emulator = await startEmulator({ ...emulatorOptions(dataDir), port });
    try {
      await furnish(emulator.endpoint);
      const pid = await pidOfFunction(emulator.endpoint);
      expect(readdirSync(planted)).toEqual([]);
      expect(readdirSync(join(dataDir, 'tmp')).sort()).toEqual([
        `ministack-${port}.pid`,
        `ministack-provided-code-${port}`,
      ]);
      expect(statSync(join(dataDir, 'tmp')).mode & 0o777).toBe(0o700);
      const opened = readlinkSync(`/proc/${pid}/cwd`);
      expect(opened.startsWith(realpathSync(dataDir))).toBe(true);
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toContain(
        `TMPDIR=${join(dataDir, 'tmp')}`,
      );
    } finally {
      await emulator.close();
      rmSync(planted, { recursive: true });
    }
    expect(existsSync(join(dataDir, 'tmp'))).toBe(false);
    const left = readdirSync(tmpdir()).filter(
      (name) => name.startsWith('ministack') && name.includes(`${port}`),
    );
    expect(left).toEqual([]);
  }, 60_000);

  it('rejects a folder that another emulator uses', async () => {
    const options = emulatorOptions(join(folder, 'shared'));
    const first: Emulator = await startEmulator(options);
    try {
      await expect(
        startEmulator({ ...options, port: Number(new URL(first.endpoint).port) + 1 }),
      ).rejects.toMatchObject({
        name: 'LocalCloudFailed',
        facts: {
          what: 'Another local cloud uses this data folder.',
          remedy: expect.stringContaining('end the other one'),
        },
      });
    } finally {
      await first.close();
    }
  });

  it.each([
    ['truncated', '{"payload": {"ru'],
    ['empty', ''],
    ['null', 'null'],
    ['an object of something else', '{}'],
    ['a list', '[]'],
    ['a state of another shape', '{"__ministack_format__": 2, "payload": null}'],
  ])(
    'rejects a state file that is %s instead of discarding it, with a remedy that helps',
    async (_, content) => {
      const options = emulatorOptions(join(folder, 'broken'));
      mkdirSync(join(folder, 'broken/state'), { recursive: true });
      const file = join(folder, 'broken/state/dynamodb.json');
      writeFileSync(file, content);
      await expect(startEmulator(options)).rejects.toMatchObject({
        name: 'LocalCloudFailed',
        facts: {
          given: expect.stringContaining(file),
          remedy: expect.stringMatching(
            /from a backup, or remove it; .* without the records of earlier runs/,
          ),
        },
      });
      rmSync(file);
      await (await startEmulator(options)).close();
    },
  );

  it('ignores an invalid port', async () => {
    mkdirSync(join(folder, 'no-port'), { recursive: true });
    writeFileSync(join(folder, 'no-port/port'), '99999999');
    await (await startEmulator(emulatorOptions(join(folder, 'no-port')))).close();
  });

  it('uses another port if the last one is in use, and fails if the port was requested', async () => {
    const options = emulatorOptions(join(folder, 'taken'));
    const first = await startEmulator(options);
    await first.close();
    const port = Number(new URL(first.endpoint).port);
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    try {
      await expect(startEmulator({ ...options, port })).rejects.toMatchObject({
        name: 'LocalCloudFailed',
        facts: { given: expect.stringContaining('already in use') },
      });
      const second = await startEmulator(options);
      expect(second.endpoint).not.toBe(first.endpoint);
      await second.close();
    } finally {
      other.close();
    }
  });

  it('rejects any other version of MiniStack, with the command that installs the right one', async () => {
    const other = join(folder, 'other/ministack-1.6.0.dist-info');
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, 'METADATA'), 'Metadata-Version: 2.1\nName: ministack\nVersion: 1.6.0\n');
    const env = { PYTHONPATH: `${REPAIRS_PARENT}:${join(folder, 'other')}` };
    await expect(startEmulator(emulatorOptions(join(folder, 'version'), env))).rejects.toMatchObject({
      name: 'EmulatorVersion',
      message: expect.stringContaining('pip install ministack==1.5.33'),
      facts: { given: 'ministack 1.6.0.', allowed: 'ministack 1.5.33.' },
    });
  });

  it('listens on this machine only', async () => {
    const emulator = await startEmulator(emulatorOptions(join(folder, 'bound')));
    try {
      const listening = execFileSync('cat', ['/proc/net/tcp', '/proc/net/tcp6'], { encoding: 'utf8' });
      const port = Number(new URL(emulator.endpoint).port).toString(16).toUpperCase().padStart(4, '0');
      const own = listening.split('\n').filter((line) => line.includes(`:${port} `) && / 0A /.test(line));
      expect(own.map((line) => line.trim().split(/\s+/)[1])).toEqual([`0100007F:${port}`]);
    } finally {
      await emulator.close();
    }
  });
});
