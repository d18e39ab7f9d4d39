/** Handlers of custom resources in an emulator, invoked by a stand-in for CloudFormation. */
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type {
  CloudFormationCustomResourceEvent,
  CloudFormationCustomResourceResponse,
  Context,
} from 'aws-lambda';
import { type Emulator, startEmulator } from '../../lib/local/emulator/start.ts';
import { emulatorOptions, temporaryFolder } from '../local/emulator/helpers.ts';

type Handler = (
  event: CloudFormationCustomResourceEvent,
  lambda: Pick<Context, 'getRemainingTimeInMillis'>,
) => Promise<void>;

/** Starts an emulator for the tests of a file, whose clients read its endpoint and keys from the environment. */
export function useEmulator(): void {
  const folder = temporaryFolder();
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await startEmulator(emulatorOptions(folder, {}));
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    });
  }, 60_000);
  afterAll(async () => {
    await emulator?.close();
    rmSync(folder, { recursive: true, force: true });
  });
}

/**
 * Invokes a handler as CloudFormation does, and waits for its answer at a URL.
 *
 * @param old - the properties before an update. @default - the resource is created
 * @param remaining - milliseconds until Lambda ends the invocation. @default - a quarter of an hour
 */
export async function invoke(
  handler: Handler,
  RequestType: 'Create' | 'Update' | 'Delete',
  properties: Record<string, unknown>,
  old: Record<string, unknown> = {},
  remaining = 900_000,
): Promise<CloudFormationCustomResourceResponse> {
  const { promise: answered, resolve } = Promise.withResolvers<string>();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    response.end();
    resolve(body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  try {
    const event = {
      RequestType,
      ServiceToken: 'arn:aws:lambda:us-east-1:000000000000:function:f',
      ResponseURL: `http://127.0.0.1:${port}/answer`,
      StackId: 'arn:aws:cloudformation:us-east-1:000000000000:stack/S/1',
      RequestId: 'request-1',
      LogicalResourceId: 'Result',
      PhysicalResourceId: 'physical-1',
      ResourceType: 'Custom::Test',
      ResourceProperties: { ServiceToken: 'f', ...properties },
      OldResourceProperties: old,
    } as CloudFormationCustomResourceEvent;
    await handler(event, { getRemainingTimeInMillis: () => remaining });
    return JSON.parse(await answered);
  } finally {
    server.close();
  }
}
