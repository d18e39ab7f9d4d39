/** The container image of all jobs, as a run's plan records it. */
import { z } from 'zod';
import { ProxytuneError } from '../errors.ts';

export const jobImage = z
  .strictObject({
    uri: z.string().describe('As SageMaker is asked for it: registry, repository and tag'),
    digest: z.string().describe('Digest of its manifest, which fixes its content'),
  })
  .meta({ title: 'JobImage' });
export type JobImage = z.infer<typeof jobImage>;

/**
 * The only manifest format that CreateModel accepts. It refuses an OCI manifest ("Unsupported manifest media type
 * application/vnd.oci.image.manifest.v1+json", aws/amazon-sagemaker-feedback#180), while training jobs accept one:
 * without a check, a run would fail at its first transform, after its trainings had been paid for.
 */
export const SUPPORTED_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

const ECR_IMAGE = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com\/([^:@]+)(?::([^:@]+)$)?/;

/** The parts of `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG`. */
export interface EcrImage {
  readonly account: string;
  readonly region: string;
  readonly repository: string;
  /** @default - the URI names the image by its digest */
  readonly tag?: string;
}

/** Parses the URI of an image. @returns undefined for an image of another registry */
export function parseEcrImage(uri: string): EcrImage | undefined {
  const [, account, region, repository, tag] = ECR_IMAGE.exec(uri) ?? [];
  if (account === undefined || region === undefined || repository === undefined) return undefined;
  return { account, region, repository, ...(tag === undefined ? {} : { tag }) };
}

/** The repository and tag in the URI of an image in ECR. */
export type ImageReference = Required<Pick<EcrImage, 'repository' | 'tag'>>;

/** @throws ImageMissing for a URI that does not name an image in ECR by its tag */
export function imageReference(uri: string): ImageReference {
  const { repository, tag } = parseEcrImage(uri) ?? {};
  if (repository !== undefined && tag !== undefined) return { repository, tag };
  throw new ProxytuneError('ImageMissing', {
    what: 'The address of the container image does not name an image in ECR',
    given: uri,
    allowed: 'ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG',
    remedy: 'deploy the stack again',
  });
}

/** @throws ImageUnsupported for an image whose manifest SageMaker refuses */
export function requireSupportedManifest(uri: string, mediaType: string): void {
  if (mediaType === SUPPORTED_MANIFEST) return;
  throw new ProxytuneError('ImageUnsupported', {
    what: 'SageMaker cannot serve the container image, because its manifest has another format',
    given: `${mediaType} of ${uri}`,
    allowed: SUPPORTED_MANIFEST,
    remedy:
      'delete this image from its repository, then run cdk deploy with a current version of this app, which asks Docker for the format; if CDK_DOCKER names another tool, use Docker',
  });
}

export function missingImage(uri: string, cause: Error): ProxytuneError {
  return new ProxytuneError('ImageMissing', {
    what: 'The container image of the jobs is not in its repository',
    given: `${uri} (${cause.name})`,
    remedy: 'run cdk deploy again, which builds and pushes the image if it is not there',
    cause,
  });
}
