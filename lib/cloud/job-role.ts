/**
 * The execution role of the SageMaker jobs. A job reads the base models, the class images that runs share, and the
 * results of its run so far, and writes only below the prefixes for job output. It can neither read the uploaded
 * photos nor write requests, plans or reports.
 */

import type { Role } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { JobImage } from './job-image.ts';
import { listObjects, onObjects } from './permissions.ts';
import { sageMakerRole } from './sagemaker-role.ts';

export interface JobRoleProps {
  readonly bucket: IBucket;
  readonly image: JobImage;
}

export class JobRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { bucket, image }: JobRoleProps) {
    super(scope, id);
    this.role = sageMakerRole(this, 'Resource', {
      description: 'Proxytune: permissions of the SageMaker jobs',
      image,
      kinds: ['TrainingJobs', 'TransformJobs'],
    });
    this.allowData(bucket);
  }

  private allowData(bucket: IBucket): void {
    this.role.addToPolicy(listObjects(bucket, ['models/*', 'runs/*', 'class-images/*']));
    this.role.addToPolicy(onObjects(bucket, ['s3:GetObject'], ['models/*', 'runs/*', 'class-images/*']));
    const written = [
      'runs/*/jobs/*',
      'runs/*/checkpoints/*',
      // Also `runs/*/generated/*/pictures/*`, because a `*` matches any text: images that were requested after the run.
      // The request next to them must not be overwritten by the job.
      'runs/*/pictures/*',
      'runs/*/failures/*',
    ];
    this.role.addToPolicy(onObjects(bucket, ['s3:PutObject'], written));
    // SageMaker mirrors the checkpoint folder including deletions; a synthesis job on spot instances uses the prefix
    // of the pictures as its checkpoint folder.
    const mirrored = ['runs/*/checkpoints/*', 'runs/*/pictures/synthesize/*'];
    this.role.addToPolicy(onObjects(bucket, ['s3:DeleteObject'], mirrored));
  }
}
