/** Errors of the service: API errors, and failures of jobs. */

/** An API error, with the name that SageMaker uses. */
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

/** The error for an invalid request, which SageMaker also uses for missing jobs and models. */
export function validationError(message: string): ServiceError {
  return new ServiceError('ValidationException', message);
}

/** The error for a name that is in use: a job's name is SageMaker's only idempotency key. */
export function resourceInUse(message: string): ServiceError {
  return new ServiceError('ResourceInUse', message);
}

/** Ends a job as Failed; the message becomes its FailureReason and begins as in SageMaker. */
export class JobFailure extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'JobFailure';
  }
}

/** Converts an error to a FailureReason, which has at most 1024 characters. */
export function failureReason(error: unknown): string {
  const reason =
    error instanceof JobFailure
      ? error.message
      : `InternalServerError: ${error instanceof Error ? error.message : String(error)}`;
  return reason.slice(0, 1024);
}
