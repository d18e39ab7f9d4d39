/**
 * Every finding of cdk-nag's AwsSolutions that is meant to be so, with its reason. A finding that is not here fails
 * the tests, and so does an entry here that finds nothing any more.
 */
import { type CfnElement, type Stack, Validations } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { JOB_PREFIX } from '../core/names.ts';

interface Acknowledgement {
  /** Path of the construct below the stack. */
  readonly at: string;
  /** The rule, or the rule with the finding in it, without the pack's name. */
  readonly finding: string;
  readonly reason: string;
}

const NO_OWN_LOG_BUCKET =
  'Access logs need a bucket that grows for ever and outlives the stack. Who read which photo is what CloudTrail data ' +
  'events answer, for all buckets of an account at once.';
const IS_A_DEAD_LETTER_QUEUE =
  'It is itself where undelivered events end, which the rule cannot see as rules and lambdas, not queues, send to it. ' +
  'An alarm watches it.';
const NO_TRACE =
  'A run waits for hours on callbacks, which a trace does not follow, and its history has every state with its times. ' +
  'Tracing would only add a permission on `*`.';
const NO_RESOURCE_FOR_METRICS =
  'cloudwatch:PutMetricData knows no resources; its namespaces are fixed instead.';
const NO_RESOURCE_FOR_LOG_DELIVERY =
  'Step Functions delivers logs through CloudWatch’s vended-log calls, which know no resources (AWS documents these ' +
  'very statements).';
const SAGEMAKER_NAMES_STREAMS = 'SageMaker names a log stream after each job; the log group is fixed.';
const OF_EVERY_RUN = 'The `*` is the run’s or subject’s name, which is not known before it is uploaded.';
const SHARED_BY_RUNS =
  'Pictures of a category, which no photo went into, for every run that wants the same; the `*` is which.';
const FILES_OF_A_RUN =
  'A run makes many files below this one folder; the `*` are the run’s name and the file’s.';
const FILES_OF_A_PROMPT =
  'The `*` are the run’s name, the id of a prompt that is asked of it later, and the files of its pictures.';
const OUR_JOBS = `The \`*\` is the run, stage and attempt; only names that begin with ${JOB_PREFIX} are matched.`;
const VERSIONS_OF_ONE_LAMBDA = 'The `*` is a version of this one lambda; CDK grants the machine all of them.';

/** Acknowledges all of them on a stack that is complete. */
export function acknowledgeFindings(stack: Stack): void {
  for (const { at, finding, reason } of acknowledgements(stack)) {
    Validations.of(find(stack, at)).acknowledge({ id: `AwsSolutions-${finding}`, reason });
  }
}

export function acknowledgements(stack: Stack): Acknowledgement[] {
  return [
    { at: 'Data', finding: 'S1', reason: NO_OWN_LOG_BUCKET },
    { at: 'MissedEvents', finding: 'SQS3', reason: IS_A_DEAD_LETTER_QUEUE },
    { at: 'Machine', finding: 'SF2', reason: NO_TRACE },
    { at: 'JobRole', finding: wildcard('*'), reason: NO_RESOURCE_FOR_METRICS },
    { at: 'ImportRole', finding: wildcard('*'), reason: NO_RESOURCE_FOR_METRICS },
    { at: 'Machine', finding: wildcard('*'), reason: NO_RESOURCE_FOR_LOG_DELIVERY },
    ...jobLogs(),
    ...objects(stack),
    ...jobs(),
    ...invocations(stack),
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

function objects(stack: Stack): Acknowledgement[] {
  const bucket = logicalId(stack, 'Data/Resource');
  const on = (at: string, pattern: string, reason: string): Acknowledgement => ({
    at,
    finding: wildcard(`<${bucket}.Arn>/${pattern}`),
    reason,
  });
  return [
    on('JobRole', 'models/*', 'A job reads the files of a base model; models are there for every run.'),
    on('JobRole', 'class-pictures/*', SHARED_BY_RUNS),
    on(
      'JobRole',
      'runs/*',
      'A job reads what earlier stages of its run made; SageMaker has one role for all jobs.',
    ),
    on('JobRole', 'runs/*/jobs/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/checkpoints/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/pictures/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/pictures/synthesize/*', FILES_OF_A_RUN),
    on('JobRole', 'runs/*/generated/*/pictures/*', FILES_OF_A_PROMPT),
    on('JobRole', 'runs/*/failures/*', FILES_OF_A_RUN),
    on('ImportRole', 'models/*', 'It is there to write any model of the catalogue, and nothing else.'),
    on('ImportRole', 'imports/*', 'The `*` is the job, and the files of its order and progress.'),
    on('MachineLambdas/PlanRun', 'subjects/*/subject.json', OF_EVERY_RUN),
    on('MachineLambdas/PlanRun', 'models/*/manifest.json', 'The `*` is a model, which the request names.'),
    on('MachineLambdas/PlanRun', 'runs/*/plan.json', OF_EVERY_RUN),
    on('MachineLambdas/PlanRun', 'runs/*/chunks/*', FILES_OF_A_RUN),
    on('MachineLambdas/InspectPhotos', 'subjects/*/photos/*', OF_EVERY_RUN),
    on('MachineLambdas/InspectPhotos', 'runs/*/references/*', FILES_OF_A_RUN),
    on('MachineLambdas/StartJob', 'runs/*/plan.json', OF_EVERY_RUN),
    on('MachineLambdas/StartJob', 'models/*/manifest.json', 'The `*` is a model, which the plan names.'),
    on('MachineLambdas/StartJob', 'runs/*/manifests/*', FILES_OF_A_RUN),
    on('MachineLambdas/ReconcileJob', 'runs/*/failures/*', FILES_OF_A_RUN),
    on('EventLambdas/CompleteJob', 'runs/*/failures/*', FILES_OF_A_RUN),
    on('MachineLambdas/DecideRound', 'runs/*/plan.json', OF_EVERY_RUN),
    on('MachineLambdas/DecideRound', 'runs/*/jobs/*', FILES_OF_A_RUN),
    on('MachineLambdas/DecideRound', 'runs/*/curation/*', FILES_OF_A_RUN),
    on('MachineLambdas/PublishRun', 'runs/*/plan.json', OF_EVERY_RUN),
    on('MachineLambdas/PublishRun', 'runs/*/jobs/*', FILES_OF_A_RUN),
    on('MachineLambdas/PublishRun', 'runs/*/checkpoints/teach/prior/*', FILES_OF_A_RUN),
    on('MachineLambdas/PublishRun', 'class-pictures/*', SHARED_BY_RUNS),
    on('MachineLambdas/PublishRun', 'runs/*/report/*', FILES_OF_A_RUN),
  ];
}

function jobs(): Acknowledgement[] {
  const lambdas = [
    'MachineLambdas/StartJob',
    'MachineLambdas/ReconcileJob',
    'MachineLambdas/EndRun',
    'EventLambdas/CompleteJob',
  ];
  return lambdas.flatMap((at) =>
    ['training-job', 'transform-job', 'model'].map((kind) => ({
      at,
      finding: wildcard(`${arn('sagemaker')}:${kind}/${JOB_PREFIX}*`),
      reason: OUR_JOBS,
    })),
  );
}

function invocations(stack: Stack): Acknowledgement[] {
  return ['PlanRun', 'InspectPhotos', 'StartJob', 'ReconcileJob', 'DecideRound', 'EndRun', 'PublishRun'].map(
    (lambda) => ({
      at: 'Machine',
      finding: wildcard(`<${logicalId(stack, `MachineLambdas/${lambda}/Resource`)}.Arn>:*`),
      reason: VERSIONS_OF_ONE_LAMBDA,
    }),
  );
}

const wildcard = (resource: string): string => `IAM5[Resource::${resource}]`;
const arn = (service: string): string => `arn:<AWS::Partition>:${service}:<AWS::Region>:<AWS::AccountId>`;

function find(stack: Stack, path: string): Construct {
  return path.split('/').reduce<Construct>((at, id) => at.node.findChild(id) as Construct, stack);
}

function logicalId(stack: Stack, path: string): string {
  return stack.getLogicalId(find(stack, path).node.defaultChild as CfnElement);
}
