/**
 * The role of the import job, the only job with network access, which downloads base models from the hub. It reads
 * its request, writes models, and may read one secret, the hub's token. It has no access to photos, runs, adapters
 * and pictures, so the code that can reach the internet has no user data to send there.
 */
import type { Role } from 'aws-cdk-lib/aws-iam';
import { ArnFormat, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { tokenSecret } from '../core/names.ts';
import type { BucketAccess } from './data-access.ts';
import type { JobImage } from './job-image.ts';
import { allow } from './permissions.ts';
import { sageMakerRole } from './sagemaker-role.ts';

export interface ImportRoleProps {
  readonly bucket: BucketAccess;
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
    bucket.grantList(this.role, patterns);
    bucket.grantObjects(
      this.role,
      ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'],
      patterns,
      'The job may write any model of the catalogue, and its own request and progress, and nothing else.',
    );
    allow(this.role, { actions: ['secretsmanager:GetSecretValue'], resources: [this.#tokenArn()] });
  }

  /** The secret's ARN pattern. Secrets Manager appends six characters; each `?` matches one, so no other name fits. */
  #tokenArn(): string {
    const stack = Stack.of(this);
    return stack.formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `${tokenSecret(stack.stackName)}-??????`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}
