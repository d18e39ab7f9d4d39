/** Permissions on SageMaker jobs, split by the needs of the lambdas. */
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { instance } from '../core/catalogue/instances.ts';
import { STAGE_TIMEOUT } from './limits.ts';
import { allow, ourSageMaker } from './permissions.ts';

export interface CreateJobsProps {
  readonly jobRoleArn: string;
  /** The only instance types that may be started, regardless of the request. */
  readonly instanceTypes: readonly string[];
}

/** Allows creating jobs, limited by instance type, run time and network, so a bug cannot start something expensive. */
export function createJobs(
  scope: Construct,
  { jobRoleArn, instanceTypes }: CreateJobsProps,
): PolicyStatement[] {
  const training = ourSageMaker(scope, 'training-job');
  const transform = ourSageMaker(scope, 'transform-job');
  const model = ourSageMaker(scope, 'model');
  // ForAllValues is also true of a request without any instance type, hence the second condition.
  const offered = (kind: 'training' | 'transform') => ({
    'ForAllValues:StringEquals': {
      'sagemaker:InstanceTypes': instanceTypes.filter((type) => instance(type)[kind]),
    },
    Null: { 'sagemaker:InstanceTypes': 'false' },
  });
  return [
    allow(['sagemaker:CreateTrainingJob'], [training], {
      ...offered('training'),
      NumericLessThanEquals: { 'sagemaker:MaxRuntimeInSeconds': STAGE_TIMEOUT.toSeconds() },
      // Code that trains on users' photos must not be able to send them anywhere.
      Bool: { 'sagemaker:NetworkIsolation': 'true' },
    }),
    allow(['sagemaker:CreateTransformJob'], [transform, model], offered('transform')),
    allow(['sagemaker:CreateModel'], [model]),
    // Required when a Create call has tags.
    allow(['sagemaker:AddTags'], [training, transform, model]),
    allow(['iam:PassRole'], [jobRoleArn], {
      StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' },
    }),
  ];
}

export function describeJobs(scope: Construct): PolicyStatement[] {
  return perKind(scope, 'Describe');
}

export function stopJobs(scope: Construct): PolicyStatement[] {
  return perKind(scope, 'Stop');
}

export function deleteModels(scope: Construct): PolicyStatement {
  return allow(['sagemaker:DeleteModel'], [ourSageMaker(scope, 'model')]);
}

function perKind(scope: Construct, verb: 'Describe' | 'Stop'): PolicyStatement[] {
  return [
    allow([`sagemaker:${verb}TrainingJob`], [ourSageMaker(scope, 'training-job')]),
    allow([`sagemaker:${verb}TransformJob`], [ourSageMaker(scope, 'transform-job')]),
  ];
}
