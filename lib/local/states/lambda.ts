import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { StateError } from './errors.ts';
import { isObject, type Json, parseJson } from './json.ts';

/** One synchronous invocation by a Task state. */
export interface LambdaRequest {
  /** A name, partial ARN or ARN, as in the definition. */
  readonly functionName: string;
  /** The event, as JSON text. */
  readonly payload: string;
  /** Aborted when the service closes; the function of a state that timed out keeps running, as in AWS. */
  readonly signal: AbortSignal;
  /** The role of the state machine, as which the function is invoked. */
  readonly roleArn: string;
  readonly stateMachineArn: string;
}

/** The response of the Invoke API. */
export interface LambdaReply {
  readonly statusCode: number;
  readonly executedVersion: string;
  /** `Handled` or `Unhandled` if the function failed; the payload then describes the error. */
  readonly functionError?: string | undefined;
  readonly payload: string;
}

/**
 * Invokes a function. The reply contains an error of the function; the promise is rejected only if the invocation
 * itself fails (no such function, throttled, connection refused).
 */
export type InvokeLambda = (request: LambdaRequest) => Promise<LambdaReply>;

/**
 * Invokes functions through a Lambda API, such as the emulator's.
 * @param client - one for all machines, or a function that returns the one with the keys of a machine's role
 */
export function invokeThrough(
  client: LambdaClient | ((request: LambdaRequest) => Promise<LambdaClient>),
): InvokeLambda {
  return async (request) => {
    const { functionName, payload, signal } = request;
    const as = typeof client === 'function' ? await client(request) : client;
    const reply = await as.send(new InvokeCommand({ FunctionName: functionName, Payload: payload }), {
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
 * @throws StateError with the function's error type as its name and the error payload as JSON text as its cause
 */
export function returnedValue(reply: LambdaReply): Json {
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
 * Names a failed invocation like Step Functions: `Lambda.` and the exception of the Lambda API, or
 * Lambda.SdkClientException without a response. A missing permission is none of the API's exceptions.
 */
export function invocationError(error: unknown): StateError {
  if (error instanceof StateError) return error;
  const { name, message, $fault: fault } = error as { name?: string; message?: string; $fault?: string };
  const responded = fault !== undefined && name !== undefined;
  if (name === 'AccessDeniedException' || name === 'AccessDenied')
    return new StateError('Lambda.AWSLambdaException', message);
  return new StateError(responded ? `Lambda.${name}` : 'Lambda.SdkClientException', message ?? String(error));
}
