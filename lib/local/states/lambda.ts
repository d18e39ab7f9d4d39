import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { StateError } from './errors.ts';
import { isObject, type Json, parseJson } from './json.ts';

/** One synchronous invocation, as a Task state asks for it. */
export interface LambdaRequest {
  /** A name, partial ARN or ARN, as the definition gave it. */
  readonly functionName: string;
  /** The event, as JSON text. */
  readonly payload: string;
  /** Aborted when the service closes; a timed-out state leaves its function running, as in AWS. */
  readonly signal: AbortSignal;
}

/** What the Invoke API answers. */
export interface LambdaReply {
  readonly statusCode: number;
  readonly executedVersion: string;
  /** `Handled` or `Unhandled` when the function ended in an error; the payload then describes it. */
  readonly functionError?: string | undefined;
  readonly payload: string;
}

/**
 * Invokes a function. An error of the function comes back in the reply; the promise is rejected only when
 * the invocation itself failed (no such function, throttled, connection refused).
 */
export type InvokeLambda = (request: LambdaRequest) => Promise<LambdaReply>;

/** Invokes functions through a Lambda API, such as the emulator's. */
export function invokeThrough(client: LambdaClient): InvokeLambda {
  return async ({ functionName, payload, signal }) => {
    const reply = await client.send(new InvokeCommand({ FunctionName: functionName, Payload: payload }), {
      abortSignal: signal,
    });
    return {
      statusCode: reply.StatusCode ?? 200,
      executedVersion: reply.ExecutedVersion ?? '$LATEST',
      functionError: reply.FunctionError,
      payload: reply.Payload?.transformToString() ?? '',
    };
  };
}

/**
 * The value a Lambda function returned.
 * @throws StateError named by the function's error type; its cause is the whole error payload as JSON text
 */
export function returnedBy(reply: LambdaReply): Json {
  const value = reply.payload === '' ? null : parseJson(reply.payload);
  if (reply.functionError !== undefined) {
    const type =
      isObject(value) && typeof value.errorType === 'string' && value.errorType !== ''
        ? value.errorType
        : 'Lambda.Unknown';
    throw new StateError(type, reply.payload);
  }
  if (value === undefined)
    throw new StateError(
      'States.Runtime',
      `The function returned something that is not JSON: ${reply.payload.slice(0, 200)}`,
    );
  return value;
}

/**
 * Names a failed invocation as Step Functions does: `Lambda.` and the exception of the Lambda API, or
 * Lambda.SdkClientException when no answer came at all.
 */
export function invocationError(error: unknown): StateError {
  if (error instanceof StateError) return error;
  const { name, message, $fault: fault } = error as { name?: string; message?: string; $fault?: string };
  const answered = fault !== undefined && name !== undefined;
  return new StateError(answered ? `Lambda.${name}` : 'Lambda.SdkClientException', message ?? String(error));
}
