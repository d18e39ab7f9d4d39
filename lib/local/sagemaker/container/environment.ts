/** The environment variables of a container: as few as Docker sets, never the service's own. */
import { join } from 'node:path';
import type { S3Access } from '../transfer/objects.ts';

export interface EnvironmentParts {
  /** The folder used as the container's `/`, with opt/ml, tmp and home. */
  readonly root: string;
  readonly s3: S3Access;
  /** Set when the service is started, e.g. thread counts. */
  readonly service: Readonly<Record<string, string>>;
  /** Set by the job's request and the model. */
  readonly request: Readonly<Record<string, string>>;
  /** Set by SageMaker itself. */
  readonly platform: Readonly<Record<string, string>>;
  /** An isolated container has no access to AWS, so it gets neither endpoint nor keys. */
  readonly isolated: boolean;
}

export function containerEnvironment(parts: EnvironmentParts): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    HOME: join(parts.root, 'home'),
    TMPDIR: join(parts.root, 'tmp'),
    PYTHONUNBUFFERED: '1',
    ...parts.service,
    ...(parts.isolated ? {} : awsAccess(parts.s3)),
    ...parts.request,
    ...parts.platform,
    SAGEMAKER_BASE_DIR: join(parts.root, 'opt/ml'),
  };
}

/**
 * Keys in place of the container's role, and the endpoint of this cloud. No region: no document of SageMaker promises
 * AWS_REGION or AWS_DEFAULT_REGION to a container, so one that needs it gets it from the request.
 */
function awsAccess({ endpoint, credentials }: S3Access): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...(credentials.sessionToken && { AWS_SESSION_TOKEN: credentials.sessionToken }),
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}
