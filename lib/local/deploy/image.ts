/**
 * The container image in the emulator's ECR. Nobody pulls it, as jobs run the containers' code as processes, but
 * plan-run looks for it as it does in an account.
 */
import { createHash } from 'node:crypto';
import {
  CreateRepositoryCommand,
  type ECRClient,
  ImageAlreadyExistsException,
  ImageTagAlreadyExistsException,
  PutImageCommand,
  RepositoryAlreadyExistsException,
} from '@aws-sdk/client-ecr';
import { type ImageReference, SUPPORTED_MANIFEST } from '../../core/plan/image.ts';

/** An image without layers, as Docker would describe it. */
const CONFIG = JSON.stringify({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [] },
});
const MANIFEST = {
  schemaVersion: 2,
  mediaType: SUPPORTED_MANIFEST,
  config: {
    mediaType: 'application/vnd.docker.container.image.v1+json',
    size: CONFIG.length,
    digest: `sha256:${createHash('sha256').update(CONFIG).digest('hex')}`,
  },
  layers: [],
};

/**
 * Registers an image, and its repository, if they do not exist.
 *
 * @param mediaType - the format of its manifest. @default - Docker's
 */
export async function registerImage(
  client: ECRClient,
  { repository, tag }: ImageReference,
  mediaType: string = SUPPORTED_MANIFEST,
): Promise<void> {
  await client
    .send(new CreateRepositoryCommand({ repositoryName: repository, imageTagMutability: 'IMMUTABLE' }))
    .catch((error: Error) => {
      if (!(error instanceof RepositoryAlreadyExistsException)) throw error;
    });
  await client
    .send(
      new PutImageCommand({
        repositoryName: repository,
        imageTag: tag,
        imageManifest: JSON.stringify({ ...MANIFEST, mediaType }),
        imageManifestMediaType: mediaType,
      }),
    )
    .catch((error: Error) => {
      const there =
        error instanceof ImageTagAlreadyExistsException || error instanceof ImageAlreadyExistsException;
      if (!there) throw error;
    });
}
