/**
 * The accepted findings of cdk-nag's AwsSolutions, each with its reason. The tests fail on a finding that is not
 * listed here, and on an entry that no longer matches a finding.
 */
import { type CfnElement, Stack, Validations } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { keys } from '../core/keys.ts';
import { jobPrefix } from '../core/names.ts';
import type { Stacks } from './stacks.ts';

interface Acknowledgement {
  /** Path of the construct below the stack. */
  readonly at: string;
  /** The rule, or the rule with its finding, without the pack's name. */
  readonly finding: string;
  readonly reason: string;
}

const NO_OWN_LOG_BUCKET =
  'Access logs need a bucket that grows forever and outlives the stack. CloudTrail data events record who read which ' +
  'photo, for all buckets of an account at once.';
const IS_A_DEAD_LETTER_QUEUE =
  'This is the dead-letter queue, which the rule cannot detect because rules and lambdas, not queues, send to it. ' +
  'An alarm watches it.';
const NO_TRACE =
  'A run waits for hours on callbacks, which a trace does not follow, and its history has every state with its times. ' +
  'Tracing would only add a permission on `*`.';
const NO_RESOURCE_FOR_METRICS =
  'cloudwatch:PutMetricData has no resource types; a condition limits the namespaces instead.';
const NO_RESOURCE_FOR_LOG_DELIVERY =
  'Step Functions delivers logs through CloudWatch’s vended-log calls, which have no resource types (AWS documents ' +
  'exactly these statements).';
const SAGEMAKER_NAMES_STREAMS = 'SageMaker names a log stream after each job; the log group is fixed.';
const OF_EVERY_RUN = 'The `*` is the name of the run or subject, which is not known at deployment.';
const SHARED_BY_RUNS =
  'Class images, generated without any photo and shared by runs with the same settings, which the `*` identifies.';
const FILES_OF_A_RUN =
  'A run writes many files below this folder; the `*` are the names of the run and the file.';
const OUR_JOBS = 'The `*` is the run, stage and attempt; only names with the prefix of this stack match.';
const VERSIONS_OF_ONE_LAMBDA = 'The `*` is a version of this lambda; CDK grants the machine all of them.';

/** Acknowledges all of them on complete stacks. */
export function acknowledgeFindings(stacks: Stacks): void {
  for (const { at, finding, reason } of acknowledgements(stacks)) {
    Validations.of(find(stacks, at)).acknowledge({ id: `AwsSolutions-${finding}`, reason });
  }
}

export function acknowledgements(stacks: Stacks): Acknowledgement[] {
  return [
    { at: 'Data', finding: 'S1', reason: NO_OWN_LOG_BUCKET },
    { at: 'EventQueue', finding: 'SQS3', reason: IS_A_DEAD_LETTER_QUEUE },
    { at: 'Machine', finding: 'SF2', reason: NO_TRACE },
    { at: 'JobRole', finding: wildcard('*'), reason: NO_RESOURCE_FOR_METRICS },
    { at: 'ImportRole', finding: wildcard('*'), reason: NO_RESOURCE_FOR_METRICS },
    { at: 'Machine', finding: wildcard('*'), reason: NO_RESOURCE_FOR_LOG_DELIVERY },
    ...jobLogs(),
    ...objects(stacks),
    ...jobs(stacks.compute),
    ...invocations(stacks),
  ];
}

function jobLogs(): Acknowledgement[] {
  const logs = (at: string, kind: string): Acknowledgement => ({
    at,
    finding: wildcard(`${arn('logs')}:log-group:/aws/sagemaker/${kind}:*`),
    reason: SAGEMAKER_NAMES_STREAMS,
  });
  return [
    logs('JobRole', 'TrainingJobs'),
    logs('JobRole', 'TransformJobs'),
    logs('ImportRole', 'TrainingJobs'),
  ];
}

function objects(stacks: Stacks): Acknowledgement[] {
  const bucket = `arn:<AWS::Partition>:s3:::${JSON.stringify({ 'Fn::GetStackOutput': { StackName: stacks.data.stackName, OutputName: 'BucketName' } })}`;
  const on = (at: string, pattern: string, reason: string): Acknowledgement => ({
    at,
    finding: wildcard(`${bucket}/${pattern}`),
    reason,
  });
  return [
    on('JobRole', 'models/*', 'A job reads the files of a base model; all runs share the models.'),
    on('JobRole', 'class-images/*', SHARED_BY_RUNS),
    on(
      'JobRole',
      'runs/*',
      'A job reads the results of earlier stages of its run; all SageMaker jobs share one role.',
    ),
    on('JobRole', 'runs/*/jobs/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/checkpoints/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/pictures/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/pictures/synthesize/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/failures/*', FILES_OF_A_RUN),
    on('ImportRole', 'models/*', 'The job may write any model of the catalogue, and nothing else.'),
    on('ImportRole', 'imports/*', 'The `*` is the job, and the files of its request and progress.'),
    on('MachineLambdas/PlanRun', 'subjects/*/subject.json', OF_EVERY_RUN),
    on('MachineLambdas/PlanRun', keys.modelManifest('*'), 'The `*` is the model that the request names.'),
    on('MachineLambdas/PlanRun', keys.plan('*'), OF_EVERY_RUN),
    on('MachineLambdas/PlanRun', 'runs/*/chunks/*', FILES_OF_A_RUN),
    on('MachineLambdas/InspectPhotos', 'subjects/*/photos/*', OF_EVERY_RUN),
    on('MachineLambdas/InspectPhotos', 'runs/*/references/*', FILES_OF_A_RUN),
    on('MachineLambdas/StartJob', keys.plan('*'), OF_EVERY_RUN),
    on('MachineLambdas/StartJob', keys.modelManifest('*'), 'The `*` is the model that the plan names.'),
    on('MachineLambdas/StartJob', 'runs/*/manifests/*', FILES_OF_A_RUN),
    on('MachineLambdas/ReconcileJob', 'runs/*/failures/*', FILES_OF_A_RUN),
    on('EventLambdas/CompleteJob', 'runs/*/failures/*', FILES_OF_A_RUN),
    on('MachineLambdas/DecideRound', keys.plan('*'), OF_EVERY_RUN),
    on('MachineLambdas/DecideRound', 'runs/*/jobs/*', FILES_OF_A_RUN),
    on('MachineLambdas/DecideRound', 'runs/*/curation/*', FILES_OF_A_RUN),
    on('MachineLambdas/PublishRun', keys.plan('*'), OF_EVERY_RUN),
    on('MachineLambdas/PublishRun', 'runs/*/jobs/*', FILES_OF_A_RUN),
    on('MachineLambdas/PublishRun', keys.drawnClass('*'), FILES_OF_A_RUN),
    on('MachineLambdas/PublishRun', 'class-images/*', SHARED_BY_RUNS),
    on('MachineLambdas/PublishRun', 'runs/*/report/*', FILES_OF_A_RUN),
  ];
}

function jobs(stack: Stack): Acknowledgement[] {
  const lambdas = [
    'MachineLambdas/StartJob',
    'MachineLambdas/ReconcileJob',
    'MachineLambdas/EndRun',
    'EventLambdas/CompleteJob',
  ];
  return lambdas.flatMap((at) =>
    ['training-job', 'transform-job', 'model'].map((kind) => ({
      at,
      finding: wildcard(`${arn('sagemaker')}:${kind}/${jobPrefix(stack.stackName)}*`),
      reason: OUR_JOBS,
    })),
  );
}

function invocations(stacks: Stacks): Acknowledgement[] {
  return ['PlanRun', 'InspectPhotos', 'StartJob', 'ReconcileJob', 'DecideRound', 'EndRun', 'PublishRun'].map(
    (lambda) => ({
      at: 'Machine',
      finding: wildcard(`<${logicalId(stacks, `MachineLambdas/${lambda}/Resource`)}.Arn>:*`),
      reason: VERSIONS_OF_ONE_LAMBDA,
    }),
  );
}

const wildcard = (resource: string): string => `IAM5[Resource::${resource}]`;
const arn = (service: string): string => `arn:<AWS::Partition>:${service}:<AWS::Region>:<AWS::AccountId>`;

function find(scopes: Stacks, path: string): Construct {
  const [first = ''] = path.split('/');
  const stack = scopes.data.node.tryFindChild(first) === undefined ? scopes.compute : scopes.data;
  return path.split('/').reduce<Construct>((at, id) => at.node.findChild(id) as Construct, stack);
}

function logicalId(scopes: Stacks, path: string): string {
  const found = find(scopes, path);
  return Stack.of(found).getLogicalId(found.node.defaultChild as CfnElement);
}
