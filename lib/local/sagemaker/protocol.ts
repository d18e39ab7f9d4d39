/** The AWS JSON 1.1 protocol over node:http. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { headersOf, type SignedRequest } from '../iam/authorizer.ts';
import { ServiceError } from './errors.ts';
import { apiModel } from './model/shapes.ts';

/** Larger than any request that the API model allows. */
const LARGEST_BODY = 4 * 1024 * 1024;

export type Handler = (
  operation: string,
  request: unknown,
  signed: SignedRequest,
) => Promise<Record<string, unknown>>;

/** A handler for each service, by the prefix of X-Amz-Target. */
export type Handlers = Readonly<Record<string, Handler>>;

/** Serves the handlers on 127.0.0.1 at a free port. */
export async function serveJson(handlers: Handlers): Promise<{ server: Server; endpoint: string }> {
  const server = createServer((request, response) => void respond(request, response, handlers));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (!address || typeof address !== 'object') throw new Error('The SageMaker service has no port.');
  return { server, endpoint: `http://127.0.0.1:${address.port}` };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: Handlers,
): Promise<void> {
  try {
    const { handler, operation } = callOf(request, handlers);
    const body = await readBody(request);
    const result = await handler(operation, parse(body.toString('utf8')), {
      method: request.method ?? '',
      path: request.url ?? '/',
      headers: headersOf(request.headers),
      body,
    });
    send(response, 200, result);
  } catch (error) {
    const known = error instanceof ServiceError ? error : internal(error);
    send(response, known.status, { __type: known.type, message: known.message }, known.type);
  }
}

function callOf(request: IncomingMessage, handlers: Handlers): { handler: Handler; operation: string } {
  const [prefix = '', operation] = String(request.headers['x-amz-target'] ?? '').split('.');
  const handler = Object.hasOwn(handlers, prefix) ? handlers[prefix] : undefined;
  if (request.method === 'POST' && handler && operation) return { handler, operation };
  throw new ServiceError(
    'UnknownOperationException',
    `This is the local SageMaker service. It answers POST with X-Amz-Target: ${apiModel.targetPrefix}.<Operation>.`,
  );
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY)
      throw new ServiceError('RequestEntityTooLarge', 'The request is too large.', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(body: string): object {
  const value = parseJson(body === '' ? '{}' : body);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ServiceError('SerializationException', 'The request body must be a JSON object.');
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new ServiceError('SerializationException', `The request body is not JSON: ${error}`);
  }
}

function internal(error: unknown): ServiceError {
  return new ServiceError(
    'InternalFailure',
    error instanceof Error ? (error.stack ?? error.message) : `${error}`,
    500,
  );
}

function send(response: ServerResponse, status: number, body: unknown, errorType?: string): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/x-amz-json-1.1',
    'Content-Length': Buffer.byteLength(text),
    'x-amzn-RequestId': randomUUID(),
    ...(errorType && { 'x-amzn-ErrorType': errorType }),
  });
  response.end(text);
}
