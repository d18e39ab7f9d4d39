/** Clients that act as a role: one for each session, however many resources a service assumes the role for. */
import type { Assumption, Authorizer, Keys } from './authorizer.ts';

export class RoleClients<Client> {
  readonly #authorizer: Authorizer;
  readonly #session: string;
  readonly #create: (keys: Keys) => Client;
  readonly #clients = new Map<string, Client>();

  /** @param session - name of the sessions, which is part of the caller's ARN */
  constructor(authorizer: Authorizer, session: string, create: (keys: Keys) => Client) {
    this.#authorizer = authorizer;
    this.#session = session;
    this.#create = create;
  }

  /** Asks each time, because a role's trust depends on the resource. @throws AccessDenied if the role does not trust it */
  async of(assumption: Assumption): Promise<Client> {
    const keys = await this.#authorizer.session(assumption, this.#session);
    const known = this.#clients.get(keys.accessKeyId);
    if (known !== undefined) return known;
    const client = this.#create(keys);
    this.#clients.set(keys.accessKeyId, client);
    return client;
  }

  /** All clients so far, for closing them. */
  all(): Client[] {
    return [...this.#clients.values()];
  }
}
