import type { Registry } from '../registry.ts';
import { executionOperations } from './executions.ts';
import { machineOperations } from './machines.ts';
import type { Api, Operation } from './operation.ts';
import { taskOperations } from './tasks.ts';

const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...machineOperations,
  ...executionOperations,
  ...taskOperations,
};

/** Creates the API with all operations on one registry. */
export function createApi(registry: Registry): Api {
  return (operation, request) =>
    Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation]?.(request, registry) : undefined;
}
