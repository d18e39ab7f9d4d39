import { readApi } from './api/operations.ts';
import { serve } from './api/server.ts';
import { Registry, type RegistryOptions } from './registry.ts';

/** Options of startStatesService. */
export interface StatesServiceOptions extends RegistryOptions {
  /**
   * The port on 127.0.0.1.
   * @default - a free one
   */
  readonly port?: number;
}

/** A running service. */
export interface StatesServiceHandle {
  /** The URL to give an SDK as its endpoint. */
  readonly endpoint: string;
  /** Stops the server. What still runs is kept as RUNNING and becomes ABORTED at the next start. */
  close(): Promise<void>;
}

/**
 * Starts a Step Functions service on 127.0.0.1 that runs JSONata state machines of Task (Lambda), Pass,
 * Choice, Wait, Parallel, Map (inline), Succeed and Fail states. Definitions it could not run in full are
 * refused when they are created.
 * @throws Error when the port is taken or a kept record cannot be read
 */
export async function startStatesService(options: StatesServiceOptions): Promise<StatesServiceHandle> {
  const registry = new Registry(options);
  const log = options.log ?? (() => {});
  const server = await serve(readApi(registry), options.port ?? 0, log);
  return {
    endpoint: server.endpoint,
    async close() {
      registry.suspend();
      await server.close();
    },
  };
}
