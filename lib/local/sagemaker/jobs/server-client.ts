/** The client for a model server in batch transform: /ping, /execution-parameters, /invocations. */
import { request as httpRequest, type RequestOptions } from 'node:http';
import { createServer } from 'node:net';

const PING_TIMEOUT_MILLISECONDS = 2000;

export interface ServerResponse {
  readonly status: number;
  readonly body: Buffer;
}

export interface InvocationOptions {
  readonly port: number;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/** Parameters that a container may set if the request does not. */
export interface ExecutionParameters {
  readonly MaxConcurrentTransforms?: number;
  readonly MaxPayloadInMB?: number;
}

/** Finds a TCP port that is currently free. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('No free port was found.'));
      });
    });
  });
}

/** Returns true if the server is ready: 200 within two seconds. */
export async function ping(port: number): Promise<boolean> {
  try {
    return (await send({ port, path: '/ping' }, undefined, PING_TIMEOUT_MILLISECONDS)).status === 200;
  } catch {
    return false;
  }
}

/** Reads the container's own limits; empty if it does not serve them. */
export async function executionParameters(port: number): Promise<ExecutionParameters> {
  try {
    const response = await send(
      { port, path: '/execution-parameters' },
      undefined,
      PING_TIMEOUT_MILLISECONDS,
    );
    return response.status === 200 ? (JSON.parse(response.body.toString('utf8')) as ExecutionParameters) : {};
  } catch {
    return {};
  }
}

/** @throws Error if the response is late or the connection breaks */
export function invoke({
  port,
  body,
  headers,
  timeoutSeconds,
  signal,
}: InvocationOptions): Promise<ServerResponse> {
  const options = { port, path: '/invocations', method: 'POST', headers, signal };
  return send(options, body, timeoutSeconds * 1000);
}

/** Uses node:http instead of fetch, whose own limit of 300 s is below what SageMaker allows. */
function send(options: RequestOptions, body: Buffer | undefined, timeout: number): Promise<ServerResponse> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', fail);
      response.once('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`no response within ${timeout / 1000} s`)),
      timeout,
    );
    function fail(error: Error): void {
      clearTimeout(timer);
      reject(error);
    }
    request.once('error', fail);
    request.end(body);
  });
}
