/**
 * Stands before our SageMaker service and passes everything on, until a test asks for what the service never does by
 * itself: refuse a call as an account without quota would, or lose an answer on its way back.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Refusal {
  readonly name: string;
  readonly message: string;
}

export class Gate {
  /** Operations that passed, oldest first. */
  readonly calls: { readonly operation: string; readonly request: Record<string, unknown> }[] = [];
  readonly #refusals = new Map<string, Refusal>();
  readonly #lost = new Set<string>();
  readonly #before = new Map<string, () => Promise<void>>();
  #server: Server | undefined;
  readonly #service: string;

  constructor(service: string) {
    this.#service = service;
  }

  async open(): Promise<string> {
    const server = createServer((request, response) => void this.#pass(request, response));
    this.#server = server;
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((done) => this.#server?.close(done) ?? done(undefined));
  }

  /** Refuses the next call of the operation. */
  refuseNext(operation: string, refusal: Refusal): void {
    this.#refusals.set(operation, refusal);
  }

  /** Lets the next call of the operation through and drops the connection instead of answering. */
  loseNextAnswer(operation: string): void {
    this.#lost.add(operation);
  }

  /** Does something before each call of the operation passes. @returns what ends this */
  before(operation: string, action: () => Promise<void>): () => void {
    this.#before.set(operation, action);
    return () => this.#before.delete(operation);
  }

  called(operation: string): Record<string, unknown>[] {
    return this.calls.filter((call) => call.operation === operation).map(({ request }) => request);
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).replace('SageMaker.', '');
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const refusal = this.#refusals.get(operation);
    if (refusal !== undefined) {
      this.#refusals.delete(operation);
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(JSON.stringify({ __type: refusal.name, message: refusal.message }));
      return;
    }
    await this.#before.get(operation)?.();
    this.calls.push({ operation, request: JSON.parse(body.toString()) });
    const answer = await fetch(this.#service, {
      method: 'POST',
      headers: {
        'x-amz-target': String(request.headers['x-amz-target']),
        'content-type': String(request.headers['content-type']),
      },
      body,
    });
    const text = await answer.text();
    if (this.#lost.delete(operation)) {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, Object.fromEntries(answer.headers.entries()));
    response.end(text);
  }
}
