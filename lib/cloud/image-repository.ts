/** The repository of the container image: of this deployment alone, so that it is billed, cleaned up and read with it. */
import { Repository, TagMutability } from 'aws-cdk-lib/aws-ecr';
import { ArnPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { DefaultStackSynthesizer, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { imageRepository } from '../core/names.ts';

/**
 * Images that are kept. Each is some GB at about $0.10 per GB and month (list price of ECR), and one is needed as long
 * as a run goes on that was planned with it: at most a week.
 */
const KEPT_IMAGES = 5;

/**
 * The calls that the CDK's command line makes in the name of the role that `cdk bootstrap` made for images. That role's
 * own policy covers only the repository of the bootstrap stack (bootstrap-template.yaml,
 * ImagePublishingRoleDefaultPolicy).
 */
const PUBLISHING = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:BatchGetImage',
  'ecr:CompleteLayerUpload',
  'ecr:DescribeImages',
  'ecr:DescribeRepositories',
  'ecr:GetDownloadUrlForLayer',
  'ecr:InitiateLayerUpload',
  'ecr:PutImage',
  'ecr:UploadLayerPart',
];

export interface ImageRepositoryProps {
  /** Name of the deployment, which the repository's name is made from. */
  readonly deployment: string;
}

export class ImageRepository extends Construct {
  readonly repository: Repository;

  constructor(scope: Construct, id: string, { deployment }: ImageRepositoryProps) {
    super(scope, id);
    this.repository = new Repository(this, 'Resource', {
      // Fixed, because the CDK's command line must know it before the stack is deployed.
      repositoryName: imageRepository(deployment),
      // A tag is the hash of what the image is built from.
      imageTagMutability: TagMutability.IMMUTABLE,
      lifecycleRules: [{ description: `the last ${KEPT_IMAGES} images`, maxImageCount: KEPT_IMAGES }],
      // In production too: images are built from the code again, and a repository that stayed would have the name that
      // the next deployment needs.
      removalPolicy: RemovalPolicy.DESTROY,
      emptyOnDelete: true,
    });
    this.repository.addToResourcePolicy(
      new PolicyStatement({ actions: PUBLISHING, principals: [new ArnPrincipal(this.#publishingRole())] }),
    );
  }

  #publishingRole(): string {
    const { synthesizer } = Stack.of(this);
    const qualifier = synthesizer.bootstrapQualifier ?? DefaultStackSynthesizer.DEFAULT_QUALIFIER;
    const arn = DefaultStackSynthesizer.DEFAULT_IMAGE_ASSET_PUBLISHING_ROLE_ARN;
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the CDK's placeholder
    return Fn.sub(arn.replaceAll('${Qualifier}', qualifier));
  }
}
