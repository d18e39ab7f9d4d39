/** The data bucket: uploaded photos and requests, base models, and everything that a run produces. */

import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  BucketPolicy,
  type CfnBucket,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { INTERMEDIATES } from '../core/keys.ts';
import { acknowledge } from './acknowledge.ts';
import { EmptiedBucket } from './emptied-bucket.ts';
import type { HandlerDefaults } from './handler-function.ts';

export interface DataBucketProps {
  /**
   * Delete the bucket with the stack, and everything in it, with a lambda of these properties.
   *
   * @default - the bucket stays when the stack is deleted
   */
  readonly emptied?: HandlerDefaults | undefined;
  /**
   * The name of an existing bucket, which is used instead of a new one. CloudFormation can only add a policy to it;
   * `AdoptionCheck` requires the rest. @default - a new bucket
   */
  readonly adopt?: string | undefined;
  /** Days after which the intermediates of runs expire. An adopted bucket has a rule of its own. */
  readonly intermediatesDays: number;
}

export class DataBucket extends Construct {
  readonly bucketName: string;

  constructor(scope: Construct, id: string, { emptied, adopt, intermediatesDays }: DataBucketProps) {
    super(scope, id);
    this.bucketName = (
      adopt === undefined ? this.#create(emptied, intermediatesDays) : this.#adopt(adopt)
    ).bucketName;
  }

  #create(emptied: HandlerDefaults | undefined, intermediatesDays: number): Bucket {
    const bucket = new Bucket(this, 'Resource', {
      // A run reads the version of subject.json that started it, even if another upload follows immediately.
      versioned: true,
      // S3-managed keys: a KMS key costs a dollar a month even when idle, and protects against the same readers as
      // the bucket's policies.
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [
        // SageMaker uploads in parts; the unfinished uploads of an ended job are invisible but billed.
        { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(3) },
        // A month leaves time to notice a mistake.
        {
          id: 'old-versions',
          noncurrentVersionExpiration: Duration.days(30),
          expiredObjectDeleteMarker: true,
        },
        // Of overlapping rules S3 applies the one that deletes earlier, so a replaced checkpoint is billed for a day.
        {
          id: 'intermediates',
          prefix: INTERMEDIATES,
          expiration: Duration.days(intermediatesDays),
          noncurrentVersionExpiration: Duration.days(1),
        },
      ],
      removalPolicy: emptied === undefined ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    // The L2's `eventBridgeEnabled` would add a custom resource lambda only to set this property.
    (bucket.node.defaultChild as CfnBucket).addPropertyOverride(
      'NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled',
      true,
    );
    acknowledge(
      bucket,
      'S1',
      'Access logs need a bucket that grows forever and outlives the stack. CloudTrail data events record who read ' +
        'which photo, for all buckets of an account at once.',
    );
    if (emptied !== undefined) new EmptiedBucket(this, 'Emptied', { ...emptied, bucket });
    return bucket;
  }

  /** The policy of a bucket is deleted with the stack that created it, also where the bucket itself stays. */
  #adopt(name: string): IBucket {
    // The same path, so that a deployment that adopts its own bucket keeps the policy.
    const bucket = Bucket.fromBucketName(this, 'Resource', name);
    const { document } = new BucketPolicy(bucket, 'Policy', { bucket });
    for (const conditions of [
      { Bool: { 'aws:SecureTransport': 'false' } },
      { NumericLessThan: { 's3:TlsVersion': 1.2 } },
    ]) {
      document.addStatements(
        new PolicyStatement({
          effect: Effect.DENY,
          principals: [new AnyPrincipal()],
          actions: ['s3:*'],
          resources: [bucket.bucketArn, bucket.arnForObjects('*')],
          conditions,
        }),
      );
    }
    return bucket;
  }
}
