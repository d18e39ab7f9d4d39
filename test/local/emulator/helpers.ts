/** Helpers of the local cloud's tests: folders, emulator options, clients, polling. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmulatorOptions } from '../../../lib/local/emulator/start.ts';
import { PYTHON, ROOT } from '../../../lib/local/paths.ts';

export const NODE = join(ROOT, 'node_modules/.bin/node');
export const REPAIRS_PARENT = join(ROOT, 'lib/local/emulator');

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'proxytune-emulator-'));
}

export function emulatorOptions(dataDir: string, env: Record<string, string> = {}): EmulatorOptions {
  return { dataDir, python: PYTHON, node: NODE, env };
}

export function clientConfig(endpoint: string) {
  return { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
}

/**
 * Polls until there is a result, for at most `seconds`.
 *
 * @param source - of the result, as the error names it. @default - the code of the function
 */
export async function eventually<T>(
  poll: () => Promise<T | undefined>,
  seconds = 30,
  everyMs = 100,
  source = String(poll),
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const result = await poll();
    if (result !== undefined) return result;
    if (Date.now() > deadline) throw new Error(`No result within ${seconds} s from ${source}`);
    await sleep(everyMs);
  }
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Services by the prefixes of their targets. */
const SERVICES: Readonly<Record<string, string>> = {
  AmazonSQS: 'sqs',
  Logs_20140328: 'logs',
  secretsmanager: 'secretsmanager',
};

/** The account's own key, whose signature is not checked. */
function authorization(service: string): string {
  const scope = `local/20260101/us-east-1/${service}/aws4_request`;
  return `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`;
}

export const roleArn = (name: string): string => `arn:aws:iam::000000000000:role/${name}`;

/** Attributes of a queue to which a service may send. */
export function receivesFrom(service: string): { Policy: string } {
  const statement = {
    Effect: 'Allow',
    Principal: { Service: service },
    Action: 'sqs:SendMessage',
    Resource: '*',
  };
  return { Policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }) };
}

/** Creates a role that a service trusts, with one inline policy. @param statements - @default - no permissions */
export async function createRole(
  endpoint: string,
  name: string,
  trust: object,
  statements: readonly object[] = [],
): Promise<string> {
  const document = (Statement: readonly object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
  const AssumeRolePolicyDocument = document([{ Effect: 'Allow', Action: 'sts:AssumeRole', ...trust }]);
  await iam(endpoint, { Action: 'CreateRole', RoleName: name, AssumeRolePolicyDocument });
  if (statements.length > 0) {
    const policy = { PolicyName: 'inline', PolicyDocument: document(statements) };
    await iam(endpoint, { Action: 'PutRolePolicy', RoleName: name, ...policy });
  }
  return roleArn(name);
}

/** Calls IAM in the query protocol, because its client is not installed. */
async function iam(endpoint: string, parameters: Record<string, string>): Promise<void> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: authorization('iam'),
    },
    body: new URLSearchParams({ Version: '2010-05-08', ...parameters }),
  });
  if (!response.ok) throw new Error(`${parameters.Action}: ${response.status} ${await response.text()}`);
}

/** Calls a service in the AWS JSON protocol, for the few whose client is not installed. */
export async function awsJson<T>(endpoint: string, target: string, body: object): Promise<T> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'x-amz-target': target,
      'content-type': 'application/x-amz-json-1.0',
      authorization: authorization(SERVICES[target.split('.')[0] ?? ''] ?? ''),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

interface Received {
  readonly Messages?: { Body: string; MessageAttributes?: Record<string, { StringValue: string }> }[];
}

/** Waits for the next message of a queue. */
export async function nextMessage(endpoint: string, queueUrl: string) {
  return await eventually(async () => {
    const request = { QueueUrl: queueUrl, WaitTimeSeconds: 1, MessageAttributeNames: ['All'] };
    const { Messages } = await awsJson<Received>(endpoint, 'AmazonSQS.ReceiveMessage', request);
    return Messages?.[0];
  });
}
