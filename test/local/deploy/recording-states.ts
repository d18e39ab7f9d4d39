/** A server that speaks just enough of the Step Functions protocol to see what CloudFormation asks of it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Asked {
  readonly action: string;
  readonly body: Record<string, string>;
}

export interface RecordingStates {
  readonly endpoint: string;
  readonly asked: Asked[];
  close(): void;
}

/** Start the server. It refuses a definition whose StartAt is no state, as the service does. */
export async function startRecordingStates(): Promise<RecordingStates> {
  const asked: Asked[] = [];
  const server: Server = createServer(async (request, response) => {
    const action = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const body = JSON.parse(await text(request)) as Record<string, string>;
    asked.push({ action, body });
    const definition = JSON.parse(body.definition ?? '{"StartAt":"A","States":{"A":{}}}');
    const refused = !(definition.StartAt in definition.States);
    const answer = refused
      ? { __type: 'InvalidDefinition', message: `StartAt "${definition.StartAt}" is no state` }
      : {
          stateMachineArn: `arn:aws:states:us-east-1:000000000000:stateMachine:${body.name}`,
          creationDate: 1,
        };
    response.writeHead(refused ? 400 : 200, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { endpoint: `http://127.0.0.1:${port}`, asked, close: () => server.close() };
}
