import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { invocationError, invokeThrough, returnedValue } from '../../../lib/local/states/lambda.ts';

/** A server with the HTTP protocol of the Invoke API, for the real SDK client. */
let server: Server;
let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void;
let client: LambdaClient;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    answer(request, body, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new LambdaClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
});
afterAll(() => {
  client.destroy();
  server.closeAllConnections();
  server.close();
});

const invoke = (payload = '{}') =>
  invokeThrough(client)({
    functionName: 'plan-run',
    payload,
    signal: new AbortController().signal,
    roleArn: 'arn:aws:iam::000000000000:role/machine',
    stateMachineArn: 'arn:aws:states:us-east-1:000000000000:stateMachine:m',
  });

describe('invokeThrough', () => {
  it('sends the event and returns the response', async () => {
    let seen = '';
    answer = (request, body, response) => {
      seen = `${request.method} ${request.url} ${body}`;
      response.setHeader('x-amz-executed-version', '7').end('{"x":"é"}');
    };
    expect(await invoke('{"a":1}')).toEqual({
      statusCode: 200,
      executedVersion: '7',
      functionError: undefined,
      payload: '{"x":"é"}',
    });
    expect(seen).toBe('POST /2015-03-31/functions/plan-run/invocations {"a":1}');
  });

  it('distinguishes an error of the function from a result', async () => {
    answer = (_request, _body, response) =>
      response
        .setHeader('x-amz-function-error', 'Unhandled')
        .end('{"errorType":"PhotoRejected","errorMessage":"dark"}');
    const reply = await invoke();
    expect(() => returnedValue(reply)).toThrow(
      expect.objectContaining({
        error: 'PhotoRejected',
        reason: '{"errorType":"PhotoRejected","errorMessage":"dark"}',
      }),
    );
  });

  it.each([
    [404, 'ResourceNotFoundException', 'Lambda.ResourceNotFoundException'],
    [429, 'TooManyRequestsException', 'Lambda.TooManyRequestsException'],
    [500, 'ServiceException', 'Lambda.ServiceException'],
  ])('names a %i answer of the service as Step Functions does', async (status, type, expected) => {
    answer = (_request, _body, response) =>
      response.writeHead(status, { 'x-amzn-errortype': type }).end('{"Message":"no"}');
    const failure = await invoke().catch(invocationError);
    expect(failure).toMatchObject({ error: expected });
  });

  it('reports a dropped connection as Lambda.SdkClientException', async () => {
    answer = (request) => request.socket.destroy();
    expect(await invoke().catch(invocationError)).toMatchObject({ error: 'Lambda.SdkClientException' });
  });
});

describe('returnedValue', () => {
  const reply = { statusCode: 200, executedVersion: '1' };

  it('parses JSON, and an empty payload as null', () => {
    expect(returnedValue({ ...reply, payload: '[1]' })).toEqual([1]);
    expect(returnedValue({ ...reply, payload: '' })).toBeNull();
  });

  it('names an error without a type, and a payload that is not JSON', () => {
    expect(() => returnedValue({ ...reply, functionError: 'Unhandled', payload: 'boom' })).toThrow(
      expect.objectContaining({ error: 'Lambda.Unknown', reason: 'boom' }),
    );
    expect(() => returnedValue({ ...reply, payload: '{' })).toThrow(
      expect.objectContaining({ error: 'States.Runtime' }),
    );
  });
});
