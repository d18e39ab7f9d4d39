import type { Authorizer } from '../iam/authorizer.ts';
import { createGuard } from './api/guard.ts';
import { createApi } from './api/operations.ts';
import { serve } from './api/server.ts';
import { Registry, type RegistryOptions } from './registry.ts';

/** Options of startStatesService. */
export interface StatesServiceOptions extends RegistryOptions {
  /**
   * The port on 127.0.0.1.
   * @default - a free port
   */
  readonly port?: number;
  /**
   * Decides who may do what.
   * @default - everybody may do everything
   */
  readonly authorizer?: Authorizer;
}

/** A running service. */
export interface StatesServiceHandle {
  /** The endpoint URL for SDKs. */
  readonly endpoint: string;
  /** Stops the server. Running executions stay RUNNING in the store and become ABORTED at the next start. */
  close(): Promise<void>;
}

/**
 * Starts a Step Functions service on 127.0.0.1 that runs JSONata state machines with Task (Lambda), Pass, Choice,
 * Wait, Parallel, Map (inline), Succeed and Fail states. Creating a machine that it cannot run completely fails.
 * @throws Error if the port is in use or a stored record cannot be read
 */
export async function startStatesService(options: StatesServiceOptions): Promise<StatesServiceHandle> {
  const registry = new Registry(options);
  const log = options.log ?? (() => {});
  const server = await serve(
    createApi(registry),
    createGuard(registry, options.authorizer),
    options.port ?? 0,
    log,
  );
  return {
    endpoint: server.endpoint,
    async close() {
      registry.suspend();
      await server.close();
    },
  };
}
