/** The container image of every job: built from `containers/`, or only a name where jobs run the local code. */

import { type IRepository, Repository } from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { IgnoreMode } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';

export interface JobImage {
  readonly uri: string;
  /** Where it lies; jobs may pull it from there. */
  readonly repository: IRepository;
}

/** Never pulled: the local cloud, which registers it at each start, runs the containers' code as processes. */
export function localImage(scope: Construct, id: string, repositoryName: string): JobImage {
  const repository = Repository.fromRepositoryName(scope, id, repositoryName);
  return { uri: repository.repositoryUriForTag('local'), repository };
}

/**
 * Only what the Dockerfile copies. The image's tag is the hash of these files, so a changed test or a leftover cache
 * does not rebuild and push gigabytes.
 */
const IN_IMAGE = ['Dockerfile', 'pyproject.toml', 'requirements.txt', 'proxytune'];
const NOT_IN_IMAGE = ['*', ...IN_IMAGE.map((name) => `!${name}`), '**/__pycache__', '**/*.pyc'];

/** Built by `cdk deploy` (which needs Docker), never by `cdk synth`, into the repository of the stack's synthesizer. */
export function imageFrom(scope: Construct, id: string, directory: string): JobImage {
  const asset = new DockerImageAsset(scope, id, {
    directory,
    // SageMaker's GPU hosts are x86-64; an image built on an Arm laptop would fail with "exec format error".
    platform: Platform.LINUX_AMD64,
    ignoreMode: IgnoreMode.DOCKER,
    exclude: NOT_IN_IMAGE,
    // Docker's own manifest format: with its containerd image store, Docker would push an OCI manifest, which
    // SageMaker's CreateModel refuses after the trainings were paid for. plan-run checks the result.
    outputs: ['type=docker'],
  });
  return { uri: asset.imageUri, repository: asset.repository };
}
