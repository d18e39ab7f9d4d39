/** The permissions of the lambdas that work at deployment, which only some settings add. */
import { DEPLOYMENT_LAMBDA_NAMES } from '../../../../lib/cloud/lambda-names.ts';
import type { Row } from './row.ts';

const OWN_LOG = DEPLOYMENT_LAMBDA_NAMES.map(
  (who): Row => ({
    who,
    may: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    on: `log of ${who}`,
    why: 'Lambda writes the log in the name of the role',
  }),
);

export const DEPLOYMENT: readonly Row[] = [
  ...OWN_LOG,
  {
    who: 'lambda.amazonaws.com',
    may: 'sts:AssumeRole',
    on: DEPLOYMENT_LAMBDA_NAMES.map((name) => `role of ${name}`),
    why: 'runs the lambda; creating a function with the role requires iam:PassRole',
  },
  {
    who: 'check-data',
    may: [
      's3:ListBucket',
      's3:GetBucketVersioning',
      's3:GetBucketNotification',
      's3:GetBucketPublicAccessBlock',
      's3:GetEncryptionConfiguration',
      's3:GetLifecycleConfiguration',
    ],
    on: 'bucket',
    why: 'sees that an adopted bucket exists and has the settings that runs need',
  },
  {
    who: 'check-data',
    may: 'dynamodb:DescribeTable',
    on: 'table',
    why: 'sees that an adopted table exists and has the keys that runs need',
  },
  {
    who: 'empty-bucket',
    may: ['s3:ListBucketVersions', 's3:ListBucketMultipartUploads'],
    on: 'bucket',
    why: 'finds everything that keeps the bucket from being deleted, or would be lost with it',
  },
  {
    who: 'empty-bucket',
    may: ['s3:DeleteObjectVersion', 's3:AbortMultipartUpload'],
    on: 'bucket/*',
    why: 'empties the bucket of a stack that is deleted with its data',
  },
  {
    who: 'empty-bucket',
    may: 'cloudformation:DescribeStacks',
    on: 'cloudformation:stack/Proxytune-Data/*',
    why: 'sees that the whole stack is deleted, and not only this lambda',
  },
  {
    who: 'retain-job-logs',
    may: ['logs:CreateLogGroup', 'logs:PutRetentionPolicy'],
    on: ['TrainingJobs', 'TransformJobs'].map((kind) => `logs:log-group:/aws/sagemaker/${kind}:*`),
    why: 'gives the logs of jobs their retention, which they have none of by default',
  },
  {
    who: 'retain-job-logs',
    may: 'logs:DescribeLogGroups',
    on: '*',
    why: 'finds groups that have a retention already; the action has no resource types',
  },
];
