/**
 * Synthesizes a stack whose image goes into a repository of another stack of the same deployment. The CDK's command line
 * builds assets before it deploys anything, and fails if the repository does not exist; so the stack's assets depend on
 * the other stack.
 */
import { ArtifactType } from 'aws-cdk-lib/cloud-assembly-schema';
import {
  DefaultStackSynthesizer,
  type IStackSynthesizer,
  type ISynthesisSession,
  type Stack,
} from 'aws-cdk-lib/core';

export interface ImageSynthesizerProps {
  /** The repository's name, which must be the same before and after deployment. */
  readonly repositoryName: string;
  /** The stack with the repository. */
  readonly stack: Stack;
}

/** @returns a synthesizer for one stack */
export function imageSynthesizer(props: ImageSynthesizerProps): IStackSynthesizer {
  // The CDK's own class says `undefined` where its interface leaves a property out.
  return new ImageSynthesizer(props) as IStackSynthesizer;
}

class ImageSynthesizer extends DefaultStackSynthesizer {
  // Not `#`: the CDK binds a synthesizer by a copy that inherits from it.
  private readonly before: Stack;

  constructor({ repositoryName, stack }: ImageSynthesizerProps) {
    super({ imageAssetsRepositoryName: repositoryName });
    this.before = stack;
  }

  override synthesize(session: ISynthesisSession): void {
    super.synthesize({ ...session, assembly: assetsAfter(session.assembly, this.before.artifactId) });
  }
}

type Assembly = ISynthesisSession['assembly'];

/** The same assembly, in which the manifests of assets depend on an artifact too. */
function assetsAfter(assembly: Assembly, artifact: string): Assembly {
  const addArtifact: Assembly['addArtifact'] = (id, manifest) =>
    assembly.addArtifact(
      id,
      manifest.type === ArtifactType.ASSET_MANIFEST
        ? { ...manifest, dependencies: [...(manifest.dependencies ?? []), artifact] }
        : manifest,
    );
  return new Proxy(assembly, {
    get: (target, key) => (key === 'addArtifact' ? addArtifact : Reflect.get(target, key, target)),
  });
}
