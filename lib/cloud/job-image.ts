/** The container image of every job: built from `containers/`, or a placeholder name for the local code. */

import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import { IgnoreMode } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';

/** Never pulled: the local cloud runs the containers' code as processes. */
export const LOCAL_IMAGE_URI = '000000000000.dkr.ecr.us-east-1.amazonaws.com/proxytune:local';

export interface JobImage {
  readonly uri: string;
  /** Lets a role pull the image. */
  grantPull(role: IGrantable): void;
}

export const localImage: JobImage = {
  uri: LOCAL_IMAGE_URI,
  grantPull: () => {},
};

/**
 * Only what the Dockerfile copies. The image's tag is the hash of these files, so a changed test or a leftover cache
 * does not rebuild and push gigabytes.
 */
const IN_IMAGE = ['Dockerfile', 'pyproject.toml', 'requirements.txt', 'proxytune'];
const NOT_IN_IMAGE = ['*', ...IN_IMAGE.map((name) => `!${name}`), '**/__pycache__', '**/*.pyc'];

/** Built by `cdk deploy` (which needs Docker), never by `cdk synth`. */
export function imageFrom(scope: Construct, id: string, directory: string): JobImage {
  const asset = new DockerImageAsset(scope, id, {
    directory,
    // SageMaker's GPU hosts are x86-64; an image built on an Arm laptop would fail with "exec format error".
    platform: Platform.LINUX_AMD64,
    ignoreMode: IgnoreMode.DOCKER,
    exclude: NOT_IN_IMAGE,
  });
  return {
    uri: asset.imageUri,
    grantPull: (role) => asset.repository.grantPull(role),
  };
}
