import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { headersOf } from '../../iam/authorizer.ts';
import { ApiError, validationError } from '../errors.ts';
import { isObject, parseJson } from '../json.ts';
import type { Guard } from './guard.ts';
import type { Api, ApiResponse } from './operation.ts';
import { Request } from './request.ts';

/** Step Functions accepts requests up to 1 MiB; escapes may double the size of a definition. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
const TARGET = /^AWSStepFunctions\.(\w+)$/;

/** Serves the API on 127.0.0.1 in the AWS JSON 1.0 protocol. */
export async function serve(
  api: Api,
  guard: Guard,
  port: number,
  log: (line: string) => void,
): Promise<{ endpoint: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    respond(api, guard, request).then(
      (body) => send(response, 200, body),
      (error) => sendError(response, error, log),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      // SDKs keep connections open, and close() would wait for them.
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(api: Api, guard: Guard, message: IncomingMessage): Promise<ApiResponse> {
  const operation = TARGET.exec(String(message.headers['x-amz-target']))?.[1];
  const bytes = await readBody(message);
  const body = bytes.toString('utf8');
  if (message.method !== 'POST' || operation === undefined) {
    throw new ApiError(
      'UnknownOperationException',
      'POST with the header X-Amz-Target: AWSStepFunctions.<operation> is expected',
    );
  }
  const members = body === '' ? {} : parseJson(body);
  if (!isObject(members))
    throw new ApiError('SerializationException', 'The request body must be a JSON object');
  const request = new Request(members);
  await guard(operation, request, {
    method: message.method,
    path: message.url ?? '/',
    headers: headersOf(message.headers),
    body: bytes,
  });
  const response = api(operation, request);
  if (response === undefined) {
    throw new ApiError(
      'UnknownOperationException',
      `The local Step Functions service has no operation ${operation}`,
    );
  }
  return response;
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY_BYTES) throw validationError(`The request is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function sendError(response: ServerResponse, error: unknown, log: (line: string) => void): void {
  if (error instanceof ApiError) {
    send(response, 400, { __type: error.code, message: error.message });
    return;
  }
  log(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
  send(response, 500, {
    __type: 'InternalFailure',
    message: `The local Step Functions service failed: ${String(error)}`,
  });
}

function send(response: ServerResponse, status: number, body: ApiResponse): void {
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.0',
    'x-amzn-requestid': randomUUID(),
  });
  response.end(JSON.stringify(body));
}
