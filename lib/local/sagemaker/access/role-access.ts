/**
 * Access in the name of a job's or model's role: S3 with keys of the role, and the rest of what SageMaker does for a
 * job. Without an authorizer everything has the service's own keys.
 */
import {
  AccessDenied,
  type Authorizer,
  type Call,
  type Needs,
  type SignedRequest,
} from '../../iam/authorizer.ts';
import { RoleClients } from '../../iam/role-clients.ts';
import { JobFailure, ServiceError, validationError } from '../errors.ts';
import { Objects, type S3Access } from '../transfer/objects.ts';
import { type JobKind, logCalls, metricCalls, pullCalls, SAGEMAKER } from './platform-calls.ts';

/** The name of SageMaker's sessions, in the ARN of the caller. */
const SESSION = 'SageMaker';

export interface Access {
  /** S3 with the role's keys, for containers. */
  readonly s3: S3Access;
  readonly objects: Objects;
}

/** A job, as far as its permissions go. */
export interface Job {
  readonly role: string | undefined;
  readonly arn: string;
  readonly name: string;
  readonly kind: JobKind;
  readonly image: string | undefined;
}

export class RoleAccess {
  /** Access with the service's own keys. */
  readonly service: Access;
  readonly #authorizer: Authorizer | undefined;
  readonly #clients: RoleClients<Access> | undefined;

  constructor(s3: S3Access, authorizer: Authorizer | undefined) {
    this.service = { s3, objects: new Objects(s3) };
    this.#authorizer = authorizer;
    this.#clients =
      authorizer &&
      new RoleClients(authorizer, SESSION, (credentials) => {
        const own = { ...s3, credentials };
        return { s3: own, objects: new Objects(own) };
      });
  }

  /** Checks who made a request, and if they may. @throws ServiceError */
  async request(signed: SignedRequest, needs: Needs): Promise<void> {
    try {
      await this.#authorizer?.request(signed, needs);
    } catch (error) {
      throw asServiceError(error, needs.passes?.role);
    }
  }

  /** Access for a resource of SageMaker. @throws ServiceError ValidationException if the role does not trust SageMaker */
  async of(role: string | undefined, source: string): Promise<Access> {
    if (this.#clients === undefined || role === undefined) return this.service;
    try {
      return await this.#clients.of({ service: SAGEMAKER, role, source });
    } catch (error) {
      throw asServiceError(error, role);
    }
  }

  /**
   * Checks what SageMaker does to start a job's container: pull its image, write its log and its metrics. As on AWS, a
   * job without a log or metrics runs all the same.
   *
   * @throws JobFailure if the role may not pull the image
   */
  async prepare({ role, arn, name, kind, image }: Job, warn: (message: string) => void): Promise<void> {
    if (this.#authorizer === undefined || role === undefined) return;
    const [region = '', account = ''] = arn.split(':').slice(3);
    await this.#asRole(role, pullCalls(image)).catch((error) => {
      throw new JobFailure(
        `ClientError: Cannot pull the container's image. Either it does not exist or its permissions are incorrect: ${error.message}`,
      );
    });
    for (const calls of [logCalls(kind, region, account, name), metricCalls(kind)])
      await this.#asRole(role, calls).catch((error) => warn(error.message));
  }

  async #asRole(role: string, calls: readonly Call[]): Promise<void> {
    if (calls.length > 0) await this.#authorizer?.asRole(role, SESSION, calls);
  }

  close(): void {
    this.service.objects.close();
    for (const { objects } of this.#clients?.all() ?? []) objects.close();
  }
}

function asServiceError(error: unknown, role: string | undefined): unknown {
  if (!(error instanceof AccessDenied)) return error;
  if (error.code !== 'RoleNotAssumable') return new ServiceError(error.code, error.message);
  return validationError(
    `Could not assume role ${role}. Please ensure that the role exists and allows principal ` +
      `'${SAGEMAKER}' to assume the role. (${error.message})`,
  );
}
