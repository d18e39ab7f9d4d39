/**
 * The role that SageMaker's jobs run under. A job reads the base models, the class pictures that runs share, and what
 * its run has made so far, and writes where jobs write. It can neither read the photos as they were uploaded nor touch
 * requests, plans or reports.
 */

import type { Role } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { JobImage } from './job-image.ts';
import { listObjects, onObjects } from './permissions.ts';
import { sageMakerRole } from './sagemaker-role.ts';

export interface JobRoleProps {
  readonly bucket: Bucket;
  readonly image: JobImage;
}

export class JobRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { bucket, image }: JobRoleProps) {
    super(scope, id);
    this.role = sageMakerRole(this, 'Resource', {
      description: 'Proxytune: what a SageMaker job may do',
      image,
      kinds: ['TrainingJobs', 'TransformJobs'],
    });
    this.allowData(bucket);
  }

  private allowData(bucket: Bucket): void {
    this.role.addToPolicy(listObjects(bucket, ['models/*', 'runs/*', 'class-pictures/*']));
    this.role.addToPolicy(onObjects(bucket, ['s3:GetObject'], ['models/*', 'runs/*', 'class-pictures/*']));
    const written = [
      'runs/*/jobs/*',
      'runs/*/checkpoints/*',
      'runs/*/pictures/*',
      // Pictures of prompts that came after the run; what was asked for lies beside them and is not the job's to write.
      'runs/*/generated/*/pictures/*',
      'runs/*/failures/*',
    ];
    this.role.addToPolicy(onObjects(bucket, ['s3:PutObject', 's3:AbortMultipartUpload'], written));
    // SageMaker mirrors the checkpoint folder, and so also what the container deletes in it; that of a job which draws
    // on spot is the prefix of the pictures.
    const mirrored = ['runs/*/checkpoints/*', 'runs/*/pictures/synthesize/*'];
    this.role.addToPolicy(onObjects(bucket, ['s3:DeleteObject'], mirrored));
  }
}
