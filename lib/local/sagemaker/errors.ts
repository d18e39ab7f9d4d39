/** Errors of the service: those a caller is answered with, and those a job ends with. */

/** An answer other than success, under the name SageMaker itself uses. */
export class ServiceError extends Error {
  readonly type: string;
  readonly status: number;

  constructor(type: string, message: string, status = 400) {
    super(message);
    this.name = 'ServiceError';
    this.type = type;
    this.status = status;
  }
}

/** The request, or what it names, is not acceptable. SageMaker also answers missing jobs and models with it. */
export function validationError(message: string): ServiceError {
  return new ServiceError('ValidationException', message);
}

/** The name is taken: a job's name is the only idempotency key SageMaker has. */
export function resourceInUse(message: string): ServiceError {
  return new ServiceError('ResourceInUse', message);
}

/** Ends a job as Failed; the message becomes its FailureReason, so it begins as SageMaker's do. */
export class JobFailure extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'JobFailure';
  }
}

/** FailureReason holds at most 1024 characters. */
export function failureReason(error: unknown): string {
  const reason =
    error instanceof JobFailure
      ? error.message
      : `InternalServerError: ${error instanceof Error ? error.message : String(error)}`;
  return reason.slice(0, 1024);
}
