/** The container image of every job: built from `containers/`, or a name that stands for the code on this machine. */
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/** Never pulled: the one-machine cloud runs the containers' code as processes. */
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

/** What does not belong in the image; without it every test run would give the image another name. */
const NOT_IN_IMAGE = [
  'tests',
  'bench',
  '**/__pycache__',
  '**/*.pyc',
  '**/*.egg-info',
  '.mypy_cache',
  '.ruff_cache',
  '.pytest_cache',
  '.venv',
];

/** Built by `cdk deploy` (which needs Docker), never by `cdk synth`. */
export function imageFrom(scope: Construct, id: string, directory: string): JobImage {
  const asset = new DockerImageAsset(scope, id, {
    directory,
    // SageMaker's GPU hosts are x86-64; an image built on an Arm laptop would end in "exec format error".
    platform: Platform.LINUX_AMD64,
    exclude: NOT_IN_IMAGE,
  });
  return {
    uri: asset.imageUri,
    grantPull: (role) => asset.repository.grantPull(role),
  };
}
