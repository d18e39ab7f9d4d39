/** The emulator's event bus, for the events of our own services. */
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import type { ClientSettings } from '../aws/clients.ts';

/** One entry of PutEvents, with the detail as an object. */
export interface BusEvent extends Pick<PutEventsRequestEntry, 'Source' | 'DetailType'> {
  readonly Detail: object;
  readonly Resources: readonly string[];
}

/** Holds events back until it is opened: services report interrupted jobs and runs before the stack is deployed. */
export class EventBus {
  readonly #client: EventBridgeClient;
  readonly #opened = Promise.withResolvers<void>();

  constructor(access: ClientSettings) {
    this.#client = new EventBridgeClient(access);
  }

  open(): void {
    this.#opened.resolve();
  }

  /** Sends an event once the bus is open. @throws Error if the bus did not accept it */
  async put(event: BusEvent): Promise<void> {
    await this.#opened.promise;
    const entry = { ...event, Detail: JSON.stringify(event.Detail), Resources: [...event.Resources] };
    const { Entries = [] } = await this.#client.send(new PutEventsCommand({ Entries: [entry] }));
    const rejected = Entries.find((result) => result.ErrorCode);
    if (rejected) throw new Error(`${rejected.ErrorCode}: ${rejected.ErrorMessage}`);
  }

  close(): void {
    this.#client.destroy();
  }
}
