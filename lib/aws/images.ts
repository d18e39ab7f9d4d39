/** The container image of the jobs, in ECR. */
import { DescribeImagesCommand, type ECRClient } from '@aws-sdk/client-ecr';
import { imageReference, type JobImage, missingImage, requireSupportedManifest } from '../core/plan/image.ts';

export interface ImagesContext {
  readonly ecr: ECRClient;
}

/**
 * Returns the image at an address if SageMaker can run it.
 * @throws ImageMissing, ImageUnsupported
 */
export async function requireImage({ ecr }: ImagesContext, uri: string): Promise<JobImage> {
  const { repository, tag } = imageReference(uri);
  const request = { repositoryName: repository, imageIds: [{ imageTag: tag }] };
  const { imageDetails = [] } = await ecr.send(new DescribeImagesCommand(request)).catch((error: Error) => {
    if (!/^(Image|Repository)NotFoundException$/.test(error.name)) throw error;
    throw missingImage(uri, error);
  });
  const { imageManifestMediaType = '', imageDigest = '' } = imageDetails[0] ?? {};
  requireSupportedManifest(uri, imageManifestMediaType);
  return { uri, digest: imageDigest };
}
