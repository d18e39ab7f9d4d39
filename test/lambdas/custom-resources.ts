/** A stand-in for CloudFormation, which invokes a handler and waits for its answer at a URL. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudFormationCustomResourceEvent, CloudFormationCustomResourceResponse } from 'aws-lambda';

type Handler = (event: CloudFormationCustomResourceEvent) => Promise<void>;

/** @param old - the properties before an update. @default - the resource is created */
export async function invoke(
  handler: Handler,
  RequestType: 'Create' | 'Update' | 'Delete',
  properties: Record<string, unknown>,
  old: Record<string, unknown> = {},
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
    await handler({
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
    } as CloudFormationCustomResourceEvent);
    return JSON.parse(await answered);
  } finally {
    server.close();
  }
}
