/** How batch transform speaks with a model server: /ping, /execution-parameters, /invocations. */
import { request as httpRequest, type RequestOptions } from 'node:http';
import { createServer } from 'node:net';

const PING_TIMEOUT_MILLISECONDS = 2000;

export interface Answer {
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

/** What a container may say about itself when the request leaves it open. */
export interface ExecutionParameters {
  readonly MaxConcurrentTransforms?: number;
  readonly MaxPayloadInMB?: number;
}

/** A TCP port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('No free port was given.'));
      });
    });
  });
}

/** Whether the server is ready: 200 within two seconds. */
export async function ping(port: number): Promise<boolean> {
  try {
    return (await send({ port, path: '/ping' }, undefined, PING_TIMEOUT_MILLISECONDS)).status === 200;
  } catch {
    return false;
  }
}

/** The container's own limits; none when it does not serve them. */
export async function executionParameters(port: number): Promise<ExecutionParameters> {
  try {
    const answer = await send({ port, path: '/execution-parameters' }, undefined, PING_TIMEOUT_MILLISECONDS);
    return answer.status === 200 ? (JSON.parse(answer.body.toString('utf8')) as ExecutionParameters) : {};
  } catch {
    return {};
  }
}

/** @throws Error when no answer comes in time or the connection breaks */
export function invoke({ port, body, headers, timeoutSeconds, signal }: InvocationOptions): Promise<Answer> {
  const options = { port, path: '/invocations', method: 'POST', headers, signal };
  return send(options, body, timeoutSeconds * 1000);
}

/** node:http rather than fetch, whose own limit of 300 s is below what SageMaker allows. */
function send(options: RequestOptions, body: Buffer | undefined, timeout: number): Promise<Answer> {
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
      () => request.destroy(new Error(`no answer within ${timeout / 1000} s`)),
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
