/**
 * The execution role of the SageMaker jobs. A job reads the base models, the class images that runs share, and the
 * results of its run so far, and writes only below the prefixes for job output. It can neither read the uploaded
 * photos nor write requests, plans or reports.
 */

import type { Role } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { BucketAccess } from './data-access.ts';
import type { JobImage } from './job-image.ts';
import { sageMakerRole } from './sagemaker-role.ts';
import { FILES_OF_A_RUN, SHARED_BY_RUNS } from './wildcards.ts';

export interface JobRoleProps {
  readonly bucket: BucketAccess;
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
    bucket.grantList(this.role, ['models/*', 'runs/*', 'intermediates/*', 'class-images/*']);
    const reads = (pattern: string, what: string) =>
      bucket.grantObjects(this.role, ['GetObject'], [pattern], what);
    reads('models/*', 'A job reads the files of a base model; all runs share the models.');
    reads(
      'runs/*',
      'A job reads the results of earlier stages of its run; all SageMaker jobs share one role.',
    );
    reads(
      'intermediates/*',
      'A job reads what earlier stages of its run wrote for it; all jobs share one role.',
    );
    reads('class-images/*', SHARED_BY_RUNS);
    // The pictures of a run are also `runs/*/generated/*/pictures/*`, because a `*` matches any text: images that were
    // requested after the run. The request next to them must not be overwritten by the job.
    const written = ['runs/*/jobs/*', 'runs/*/pictures/*', 'runs/*/failures/*'];
    // SageMaker mirrors the checkpoint folder including deletions; a synthesis job on spot instances uses the prefix
    // of the pictures as its checkpoint folder.
    const mirrored = ['intermediates/*/checkpoints/*', 'intermediates/*/pictures/*'];
    bucket.grantObjects(this.role, ['PutObject'], [...written, ...mirrored], FILES_OF_A_RUN);
    bucket.grantObjects(this.role, ['DeleteObject'], mirrored, FILES_OF_A_RUN);
  }
}
