/**
 * The role of the import job, the only job with network access, which downloads base models from the hub. It reads
 * its request, writes models, and may read one secret, the hub's token. It has no access to photos, runs, adapters
 * and pictures, so the code that can reach the internet has no user data to send there.
 */
import type { Role } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { tokenSecret } from '../core/names.ts';
import type { JobImage } from './job-image.ts';
import { allow, listObjects, onObjects } from './permissions.ts';
import { sageMakerRole } from './sagemaker-role.ts';

export interface ImportRoleProps {
  readonly bucket: IBucket;
  readonly image: JobImage;
}

export class ImportRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { bucket, image }: ImportRoleProps) {
    super(scope, id);
    this.role = sageMakerRole(this, 'Resource', {
      description: 'Proxytune: permissions of the job that imports base models',
      image,
      kinds: ['TrainingJobs'],
    });
    const patterns = ['models/*', 'imports/*'];
    this.role.addToPolicy(listObjects(bucket, patterns));
    const actions = ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'];
    this.role.addToPolicy(onObjects(bucket, actions, patterns));
    this.role.addToPolicy(allow(['secretsmanager:GetSecretValue'], [this.tokenArn()]));
  }

  /** The secret's ARN pattern. Secrets Manager appends six characters; each `?` matches one, so no other name fits. */
  private tokenArn(): string {
    const { partition, region, account, stackName } = Stack.of(this);
    return `arn:${partition}:secretsmanager:${region}:${account}:secret:${tokenSecret(stackName)}-??????`;
  }
}
