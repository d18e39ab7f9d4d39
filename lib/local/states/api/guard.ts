/** Decides if a request may be served, before its operation runs. */
import { AccessDenied, type Authorizer, type SignedRequest } from '../../iam/authorizer.ts';
import { ApiError } from '../errors.ts';
import type { Registry } from '../registry.ts';
import { logDelivery, needsOf } from './permissions.ts';
import type { Request } from './request.ts';

/** @throws ApiError if the caller, or the role of a machine, may not do what the operation requires */
export type Guard = (operation: string, request: Request, signed: SignedRequest) => Promise<void>;

/** Creates the guard. @param authorizer - undefined if every request may be served */
export function createGuard(registry: Registry, authorizer: Authorizer | undefined): Guard {
  if (authorizer === undefined) return async () => {};
  return async (operation, request, signed) => {
    const needs = needsOf(operation, request, registry);
    // The operation does not exist, which the service says itself.
    if (needs === undefined) return;
    await explained(() => authorizer.request(signed, needs));
    const calls = logDelivery(request);
    const role = needs.passes?.role;
    if (calls.length === 0 || role === undefined) return;
    await authorizer.asRole(role, 'LogDelivery', calls).catch((error) => {
      throw denied(error, 'The state machine IAM Role is not authorized to access the Log Destination');
    });
  };
}

async function explained(ask: () => Promise<void>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    const untrusted = error instanceof AccessDenied && error.code === 'RoleNotAssumable';
    throw denied(
      error,
      untrusted
        ? 'Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role.'
        : undefined,
    );
  }
}

/** The API's error for a denial, with AWS's own sentence about a role before the reason. */
function denied(error: unknown, sentence?: string): unknown {
  if (!(error instanceof AccessDenied)) return error;
  const code = error.code === 'RoleNotAssumable' ? 'AccessDeniedException' : error.code;
  return new ApiError(code, sentence === undefined ? error.message : `${sentence} (${error.message})`);
}
