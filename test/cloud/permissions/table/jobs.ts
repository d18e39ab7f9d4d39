/** The permissions of the SageMaker jobs. */
import { imageRepository } from '../../../../lib/core/names.ts';
import { below, objects, type Row } from './row.ts';

export const IMAGE = `ecr:repository/${imageRepository('Proxytune')}`;
const LOGS = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'];
const TRAINING_LOGS = 'logs:log-group:/aws/sagemaker/TrainingJobs:*';
const TRANSFORM_LOGS = 'logs:log-group:/aws/sagemaker/TransformJobs:*';

/** The role of the CDK's command line, which `cdk bootstrap` has made. */
const PUBLISHER =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: references, as text
  'AWS arn:${AWS::Partition}:iam::this account:role/cdk-hnb659fds-image-publishing-role-this account-${AWS::Region}';

const PUBLISHING: readonly Row[] = [
  {
    who: PUBLISHER,
    may: [
      'ecr:BatchCheckLayerAvailability',
      'ecr:BatchGetImage',
      'ecr:CompleteLayerUpload',
      'ecr:DescribeImages',
      'ecr:DescribeRepositories',
      'ecr:GetDownloadUrlForLayer',
      'ecr:InitiateLayerUpload',
      'ecr:PutImage',
      'ecr:UploadLayerPart',
    ],
    on: 'repository',
    why: 'cdk deploy looks for the image and pushes it; the policy of that role covers only the repository of the bootstrap stack',
  },
];

/** SageMaker does these in the name of the role before the container starts, and while it runs. */
const PLATFORM: readonly Row[] = [
  { who: ['jobs', 'import'], may: LOGS, on: TRAINING_LOGS, why: 'writes the log of a training' },
  { who: 'jobs', may: LOGS, on: TRANSFORM_LOGS, why: 'writes the log of a transform' },
  {
    who: 'jobs',
    may: 'cloudwatch:PutMetricData',
    on: '*',
    if: {
      'StringEquals cloudwatch:namespace': ['/aws/sagemaker/TrainingJobs', '/aws/sagemaker/TransformJobs'],
    },
    why: 'writes the use of GPU and memory; the action has no resource types, only the namespace can be fixed',
  },
  {
    who: 'import',
    may: 'cloudwatch:PutMetricData',
    on: '*',
    if: { 'StringEquals cloudwatch:namespace': '/aws/sagemaker/TrainingJobs' },
    why: 'as for other jobs',
  },
  {
    who: ['jobs', 'import'],
    may: ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'],
    on: IMAGE,
    why: 'pulls the image',
  },
  {
    who: ['jobs', 'import'],
    may: 'ecr:GetAuthorizationToken',
    on: '*',
    why: 'gets a token for the whole registry; pulling also requires access to the repository',
  },
];

const DATA: readonly Row[] = [
  {
    who: 'jobs',
    may: 's3:ListBucket',
    on: 'bucket',
    if: below('models/*', 'runs/*', 'intermediates/*', 'class-images/*'),
    why: 'finds the files of its channels',
  },
  {
    who: 'jobs',
    may: 's3:GetObject',
    on: objects('models/*', 'runs/*', 'intermediates/*', 'class-images/*'),
    why: 'reads base models, class images and what the run has so far; neither photos nor requests',
  },
  {
    who: 'jobs',
    may: 's3:PutObject',
    on: objects(
      'runs/*/jobs/*',
      'runs/*/pictures/*',
      'runs/*/failures/*',
      'intermediates/*/checkpoints/*',
      'intermediates/*/pictures/*',
    ),
    why: 'writes its results, images (also those generated after the run), checkpoints and error; neither plans, nor references, nor reports',
  },
  {
    who: 'jobs',
    may: 's3:DeleteObject',
    on: objects('intermediates/*/checkpoints/*', 'intermediates/*/pictures/*'),
    why: 'SageMaker mirrors the folder of checkpoints; a synthesis on spot has its proxies there',
  },
  {
    who: 'import',
    may: 's3:ListBucket',
    on: 'bucket',
    if: below('models/*', 'imports/*'),
    why: 'finds what an interrupted import has stored already',
  },
  {
    who: 'import',
    may: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
    on: objects('models/*', 'imports/*'),
    why: 'writes models; the only job with a network sees no run and no photo',
  },
  {
    who: 'import',
    may: 'secretsmanager:GetSecretValue',
    // Secrets Manager adds six characters to the name.
    on: 'secretsmanager:secret:proxytune/Proxytune/hugging-face-token-??????',
    why: 'reads the token for models that require one; no other secret',
  },
];

export const JOBS: readonly Row[] = [...PUBLISHING, ...PLATFORM, ...DATA];
