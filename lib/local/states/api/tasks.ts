import { ApiError, StateError } from '../errors.ts';
import { MAX_PAYLOAD_BYTES, parseJson, textBytes } from '../json.ts';
import type { Operation } from './operation.ts';
import type { Request } from './request.ts';

function readToken(request: Request): string {
  return request.text('taskToken', 2048);
}

const SendTaskSuccess: Operation = (request, registry) => {
  const token = readToken(request);
  const text = request.text('output', MAX_PAYLOAD_BYTES, 0);
  const output = parseJson(text);
  if (output === undefined || textBytes(text) > MAX_PAYLOAD_BYTES) {
    throw new ApiError(
      'InvalidOutput',
      `Invalid Output: it must be JSON of at most ${MAX_PAYLOAD_BYTES} bytes, got '${text.slice(0, 200)}'`,
    );
  }
  registry.tokens.find(token).succeed(output);
  return {};
};

const SendTaskFailure: Operation = (request, registry) => {
  const token = readToken(request);
  const error = request.optionalText('error', 256);
  const cause = request.optionalText('cause', 32_768);
  registry.tokens.find(token).fail(new StateError(error, cause));
  return {};
};

const SendTaskHeartbeat: Operation = (request, registry) => {
  registry.tokens.find(readToken(request)).beat();
  return {};
};

/** Callback operations for waiting tasks. */
export const taskOperations = { SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat };
