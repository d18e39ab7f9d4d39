/**
 * The runtime of Node functions: a client of the Lambda Runtime API, like AWS's own Node runtime. One process is one
 * execution environment, which handles one event at a time until the API is gone.
 *
 * Run by Node itself, in the folder of the unpacked function, with the environment that Lambda defines.
 */
import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire, registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

type Handler = (event: unknown, context: object) => unknown;

interface ApiResponse {
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

const api = process.env.AWS_LAMBDA_RUNTIME_API ?? '';
const agent = new Agent({ keepAlive: true });
let requestId: string | undefined;

function callApi(method: 'GET' | 'POST', path: string, body = ''): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const url = `http://${api}/2018-06-01/runtime/${path}`;
    const call = request(url, { method, agent, headers: { 'content-length': Buffer.byteLength(body) } });
    call.on('error', reject);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        // Any other status means that this environment is no longer used.
        if ((response.statusCode ?? 500) >= 300) process.exit(0);
        resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() });
      });
    });
    call.end(body);
  });
}

/** Converts an error to Lambda's format: its name becomes `errorType`, which Retry and Catch match. */
function asFailure(error: unknown): object {
  if (error instanceof Error) {
    const { name, message, stack } = error;
    return { errorType: name, errorMessage: message, trace: (stack ?? '').split('\n') };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

/**
 * @param ends - this process accepts no further event. The emulator must know this when it gets the failure,
 *   because it considers a process idle until it is gone; `repairs/node_functions.py` reads the flag.
 */
async function fail(error: unknown, { ends }: { ends: boolean }): Promise<void> {
  const failure = asFailure(error);
  console.error(`ERROR\tInvoke Error\t${JSON.stringify(failure)}`);
  const body = JSON.stringify(ends ? { ...failure, environmentEnds: true } : failure);
  await callApi('POST', `invocation/${requestId}/error`, body);
}

function contextOf(headers: ApiResponse['headers']): object {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const name = process.env.AWS_LAMBDA_FUNCTION_NAME ?? '';
  return {
    awsRequestId: requestId,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    functionName: name,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION ?? '$LATEST',
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? '128',
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME ?? `/aws/lambda/${name}`,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME ?? '',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

/** Provides the AWS SDK from Proxytune's modules, because Lambda's Node runtime includes it and packages may not. */
function provideAwsSdk(): void {
  const ours = createRequire(import.meta.url);
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (missing) {
        if (!/^@(aws-sdk|smithy)\//.test(specifier)) throw missing;
        // `require` ignores the parent of a hook and starts at the requiring module, so it is resolved here.
        if (!context.conditions.includes('require'))
          return next(specifier, { ...context, parentURL: import.meta.url });
        return { url: pathToFileURL(ours.resolve(specifier)).href, shortCircuit: true };
      }
    },
  });
}

async function loadHandler(): Promise<Handler> {
  const folder = process.env.LAMBDA_TASK_ROOT ?? process.cwd();
  const name = process.env._HANDLER ?? '';
  const dot = name.lastIndexOf('.');
  const file = ['.mjs', '.js', '.cjs'].map((end) => join(folder, name.slice(0, dot) + end)).find(existsSync);
  if (file === undefined) throw named('Runtime.ImportModuleError', `The package has no module for "${name}"`);
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const inner = module.default as Record<string, unknown> | undefined;
  const handler = module[name.slice(dot + 1)] ?? inner?.[name.slice(dot + 1)];
  if (typeof handler !== 'function') {
    throw named('Runtime.HandlerNotFound', `"${name}" is undefined or not exported, or it is not a function`);
  }
  return handler as Handler;
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

/** Handles one event. Returns true if the environment can handle another one. */
async function serveOne(loading: Promise<Handler>): Promise<boolean> {
  const { headers, body } = await callApi('GET', 'invocation/next');
  requestId = String(headers['lambda-runtime-aws-request-id']);
  let handler: Handler;
  try {
    handler = await loading;
  } catch (error) {
    // A module that does not load fails each invocation with its own error, in a new environment each time.
    await fail(error, { ends: true });
    return false;
  }
  try {
    const result = await handler(JSON.parse(body), contextOf(headers));
    await callApi('POST', `invocation/${requestId}/response`, JSON.stringify(result ?? null));
  } catch (error) {
    await fail(error, { ends: false });
  }
  requestId = undefined;
  return true;
}

/** Ends the environment on an error outside the handler's promise, as Lambda does. */
function endOn(error: unknown, name: string): void {
  const cause = error instanceof Error ? error : new Error(String(error));
  const failure = Object.assign(new Error(`${cause.name}: ${cause.message}`), { name, stack: cause.stack });
  const reported =
    requestId === undefined ? Promise.resolve() : fail(failure, { ends: true }).catch(() => undefined);
  void reported.then(() => process.exit(1));
}

process.on('unhandledRejection', (error) => endOn(error, 'Runtime.UnhandledPromiseRejection'));
process.on('uncaughtException', (error) => endOn(error, error.name));
provideAwsSdk();
const loading = loadHandler();
loading.catch(() => undefined);
try {
  while (await serveOne(loading));
} catch {
  // The Runtime API is gone: the emulator ended, and so does its function.
}
process.exit(0);
