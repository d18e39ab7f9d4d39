/** One request, from the check of its shape to the shape of its response. */
import type { SignedRequest } from '../../iam/authorizer.ts';
import { needsOf } from '../access/permissions.ts';
import { refuseUnserved } from '../model/members.ts';
import { checkRequest, shapeResponse } from '../model/validate.ts';
import type { Operation, Response, ServiceContext } from './service-context.ts';

/** Validates the request against the API model, asks if the caller may, runs the operation, and shapes its response. */
export async function runOperation(
  name: string,
  operation: Operation,
  context: ServiceContext,
  { request, signed }: { readonly request: unknown; readonly signed: SignedRequest },
): Promise<Response> {
  checkRequest(name, request);
  const needs = needsOf(name, context, request);
  if (needs === undefined) throw new Error(`access/permissions.ts does not have ${name}.`);
  await context.roles.request(signed, needs);
  refuseUnserved(name, request);
  return shapeResponse(name, await operation(context, request as never));
}
