/** The permissions of the lambdas. */

import { LAMBDA_NAMES } from '../../../../lib/cloud/lambda-names.ts';
import { instance, instanceTypes } from '../../../../lib/core/catalogue/instances.ts';
import { jobPrefix } from '../../../../lib/core/names.ts';
import { IMAGE } from './jobs.ts';
import { LAMBDA_DATA } from './lambda-data.ts';
import type { Row } from './row.ts';

const TRAINING_JOBS = `sagemaker:training-job/${jobPrefix('Proxytune')}*`;
const TRANSFORM_JOBS = `sagemaker:transform-job/${jobPrefix('Proxytune')}*`;
const MODELS = `sagemaker:model/${jobPrefix('Proxytune')}*`;

const offeredFor = (kind: 'training' | 'transform'): string[] =>
  instanceTypes().filter((type) => instance(type)[kind]);

const OWN_LOG = LAMBDA_NAMES.map(
  (who): Row => ({
    who,
    may: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    on: `log of ${who}`,
    why: 'Lambda writes the log in the name of the role',
  }),
);

const RECORDS: readonly Row[] = [
  {
    who: 'plan-run',
    may: ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
    on: 'table',
    why: 'creates the record of the run, or opens it again when another execution does not work on it',
  },
  {
    who: 'start-job',
    may: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
    on: 'table',
    why: 'opens the record of a redriven run again, finds earlier attempts, and records the job and its task token before it creates the job',
  },
  {
    who: 'complete-job',
    may: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
    on: 'table',
    why: 'finds the task token of a job, records the outcome, and adds up what a run that is over cost',
  },
  {
    who: 'reconcile-job',
    may: ['dynamodb:Query', 'dynamodb:UpdateItem'],
    on: 'table',
    why: 'finds the job of a stage and records the outcome',
  },
  { who: 'decide-round', may: 'dynamodb:Query', on: 'table', why: 'finds the job that scored the proxies' },
  {
    who: ['end-run', 'publish-run'],
    may: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
    on: 'table',
    why: 'reads run and jobs, and records the end',
  },
];

const SAGEMAKER: readonly Row[] = [
  {
    who: 'start-job',
    may: 'sagemaker:CreateTrainingJob',
    on: TRAINING_JOBS,
    if: {
      'ForAllValues:StringEquals sagemaker:InstanceTypes': offeredFor('training'),
      'Null sagemaker:InstanceTypes': 'false',
      'NumericLessThanEquals sagemaker:MaxRuntimeInSeconds': String(72 * 3600),
      'Bool sagemaker:NetworkIsolation': 'true',
    },
    why: 'only on known types, for a bounded time, and without a network, so that photos go nowhere',
  },
  {
    who: 'start-job',
    may: 'sagemaker:CreateTransformJob',
    on: [TRANSFORM_JOBS, MODELS],
    if: {
      'ForAllValues:StringEquals sagemaker:InstanceTypes': offeredFor('transform'),
      'Null sagemaker:InstanceTypes': 'false',
    },
    why: 'SageMaker asks for the job and for the model that it uses',
  },
  { who: 'start-job', may: 'sagemaker:CreateModel', on: MODELS, why: 'a transform requires a model' },
  {
    who: 'start-job',
    may: 'sagemaker:AddTags',
    on: [TRAINING_JOBS, TRANSFORM_JOBS, MODELS],
    why: 'SageMaker asks for it when a Create call has tags',
  },
  {
    who: 'start-job',
    may: 'iam:PassRole',
    on: 'role of jobs',
    if: { 'StringEquals iam:PassedToService': 'sagemaker.amazonaws.com' },
    why: 'gives jobs their role; no other role, and to no other service',
  },
  {
    who: ['start-job', 'complete-job', 'reconcile-job'],
    may: 'sagemaker:DescribeTrainingJob',
    on: TRAINING_JOBS,
    why: 'looks up the state of a job, and whether there is one to reuse',
  },
  {
    who: ['start-job', 'complete-job', 'reconcile-job'],
    may: 'sagemaker:DescribeTransformJob',
    on: TRANSFORM_JOBS,
    why: 'looks up the state of a job, and whether there is one to reuse',
  },
  {
    who: 'start-job',
    may: 'sagemaker:DescribeModel',
    on: MODELS,
    why: 'looks up whether there is a model to reuse, from an attempt that was refused',
  },
  {
    who: ['start-job', 'end-run', 'stop-jobs'],
    may: 'sagemaker:StopTrainingJob',
    on: TRAINING_JOBS,
    why: 'stops a job whose run has ended, or whose stack is deleted',
  },
  {
    who: ['start-job', 'reconcile-job', 'end-run', 'stop-jobs'],
    may: 'sagemaker:StopTransformJob',
    on: TRANSFORM_JOBS,
    why: 'stops a job whose run has ended, whose stack is deleted, or that is overdue, as no limit of SageMaker ends a transform',
  },
  {
    who: 'stop-jobs',
    may: ['sagemaker:ListTrainingJobs', 'sagemaker:ListTransformJobs'],
    on: '*',
    why: 'finds the jobs of the stack, also those that no run has started; the actions have no resource types',
  },
  {
    who: ['start-job', 'complete-job', 'reconcile-job', 'end-run', 'publish-run'],
    may: 'sagemaker:DeleteModel',
    on: MODELS,
    why: 'deletes the model of a transform that is over',
  },
];

const IMAGES: readonly Row[] = [
  {
    who: 'plan-run',
    may: 'ecr:DescribeImages',
    on: IMAGE,
    why: 'checks that the image exists in a format that SageMaker serves, before any job is paid for',
  },
];

const MESSAGES: readonly Row[] = [
  {
    who: 'start-run',
    may: 'states:StartExecution',
    on: 'machine',
    why: 'starts the run of an upload',
  },
  {
    who: ['withdraw-run', 'stop-jobs'],
    may: 'states:ListExecutions',
    on: 'machine',
    why: 'finds the runs that are going on',
  },
  {
    who: 'withdraw-run',
    may: 'states:DescribeExecution',
    on: 'states:execution:machine:*',
    why: 'sees which request started a run',
  },
  {
    who: ['withdraw-run', 'stop-jobs'],
    may: 'states:StopExecution',
    on: 'states:execution:machine:*',
    why: 'stops a run whose request or stack is deleted',
  },
  {
    who: 'complete-job',
    may: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
    on: 'machine',
    why: 'answers the task token of a job',
  },
  {
    who: 'plan-run',
    may: 'sns:Subscribe',
    on: 'topic',
    if: { 'StringEquals sns:Protocol': 'email' },
    why: 'subscribes the address of the request; no other kind of subscriber',
  },
  { who: ['end-run', 'publish-run'], may: 'sns:Publish', on: 'topic', why: 'notifies the user' },
  {
    who: ['start-run', 'withdraw-run', 'complete-job', 'end-run'],
    may: 'sqs:SendMessage',
    on: 'queue',
    why: 'Lambda sends events that failed three times, in the name of the role',
  },
];

export const LAMBDAS: readonly Row[] = [
  ...OWN_LOG,
  ...LAMBDA_DATA,
  ...RECORDS,
  ...SAGEMAKER,
  ...IMAGES,
  ...MESSAGES,
];
