/** The one bucket: photos and requests come in, models lie in it, everything a run makes goes out to it. */

import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

export interface DataBucketProps {
  /**
   * Delete the bucket with the stack. CloudFormation refuses while objects are left in it, old versions included, so
   * it must be emptied by hand first: photos are never lost by deleting a stack.
   *
   * @default - the bucket stays when the stack is deleted
   */
  readonly removable?: boolean;
}

export class DataBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { removable = false }: DataBucketProps = {}) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Resource', {
      // A run reads the very version of subject.json that started it, even when another one follows at once.
      versioned: true,
      // Encrypted under S3's own keys: a key of ours costs a dollar a month while nothing runs, and protects against
      // the same readers as the bucket's policies do.
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [
        // SageMaker uploads in parts; what an ended job leaves half-way is invisible but billed.
        { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(3) },
        // Checkpoints are overwritten all the time; a month is long enough to notice a mistake.
        {
          id: 'old-versions',
          noncurrentVersionExpiration: Duration.days(30),
          expiredObjectDeleteMarker: true,
        },
      ],
      removalPolicy: removable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
    // The L2's `eventBridgeEnabled` would bring a lambda of its own to set this one property.
    (this.bucket.node.defaultChild as CfnBucket).addPropertyOverride(
      'NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled',
      true,
    );
  }
}
