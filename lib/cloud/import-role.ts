/**
 * The role of the one job with a network, which brings base models from the hub. It reads its order, writes models, and
 * may read one secret, the hub's token. Photos, runs, adapters and pictures are out of its reach, so that what can
 * reach the internet has nothing of anybody's to send there.
 */
import type { Role } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { TOKEN_SECRET } from '../core/jobs/import-job.ts';
import type { JobImage } from './job-image.ts';
import { allow, listObjects, onObjects } from './permissions.ts';
import { sageMakerRole } from './sagemaker-role.ts';

export interface ImportRoleProps {
  readonly bucket: Bucket;
  readonly image: JobImage;
}

export class ImportRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { bucket, image }: ImportRoleProps) {
    super(scope, id);
    this.role = sageMakerRole(this, 'Resource', {
      description: 'Proxytune: what the job may do that brings base models in',
      image,
      kinds: ['TrainingJobs'],
    });
    const places = ['models/*', 'imports/*'];
    this.role.addToPolicy(listObjects(bucket, places));
    const actions = ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'];
    this.role.addToPolicy(onObjects(bucket, actions, places));
    this.role.addToPolicy(allow(['secretsmanager:GetSecretValue'], [this.tokenArn()]));
  }

  /** Secrets Manager adds six characters to a secret's name; each `?` stands for one, so that no other name fits. */
  private tokenArn(): string {
    const { partition, region, account } = Stack.of(this);
    return `arn:${partition}:secretsmanager:${region}:${account}:secret:${TOKEN_SECRET}-??????`;
  }
}
