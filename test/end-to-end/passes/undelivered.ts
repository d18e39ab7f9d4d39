/** Events that no lambda can process, or that have no lambda any more: they end in the queue, and its alarm notifies. */
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { DeleteFunctionCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { awsJson } from '../../local/emulator/helpers.ts';
import { JOB_PREFIX, lambdaName, type TestCloud, until } from '../pipeline.ts';

const CALLED_BY_EVENTS = ['StartRun', 'CompleteJob', 'EndRun'];

/** Leaves a cloud without these lambdas, so it comes last. */
export async function undeliveredPass(cloud: TestCloud): Promise<void> {
  const endpoint = cloud.local.environment.AWS_ENDPOINT_URL ?? '';
  const names = await Promise.all(CALLED_BY_EVENTS.map((part) => lambdaName(cloud, part)));
  // Three times an event that it cannot read, as Lambda retries it.
  for (const FunctionName of names)
    await cloud.lambda.send(new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload: '{}' }));
  await untilQueued(cloud, names.length);
  await soundAlarms(endpoint);
  for (const FunctionName of names) await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName }));
  const events = new EventBridgeClient({ ...cloud.config, endpoint });
  const Entries = eventsOf(cloud).map(([Source, DetailType, detail]) => ({
    Source,
    DetailType,
    Detail: JSON.stringify(detail),
  }));
  await events.send(new PutEventsCommand({ Entries }));
  events.destroy();
  await untilQueued(cloud, names.length + Entries.length);
}

/** An event for each rule. */
const eventsOf = ({ bucket, machine }: TestCloud): [string, string, object][] => [
  ['aws.s3', 'Object Created', { bucket: { name: bucket }, object: { key: 'subjects/lost/subject.json' } }],
  ['aws.sagemaker', 'SageMaker Training Job State Change', { TrainingJobName: `${JOB_PREFIX}lost` }],
  ['aws.sagemaker', 'SageMaker Transform Job State Change', { TransformJobName: `${JOB_PREFIX}lost` }],
  ['aws.states', 'Step Functions Execution Status Change', { stateMachineArn: machine, status: 'FAILED' }],
];

async function untilQueued(cloud: TestCloud, messages: number): Promise<void> {
  const sqs = new SQSClient({ ...cloud.config, endpoint: cloud.local.environment.AWS_ENDPOINT_URL ?? '' });
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
  const QueueUrl = QueueUrls.find((url) => url.includes('EventQueue'));
  const AttributeNames = ['ApproximateNumberOfMessages' as const];
  await until(async () => {
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
    return Number(Attributes?.ApproximateNumberOfMessages) >= messages || undefined;
  });
  sqs.destroy();
}

interface Alarms {
  readonly MetricAlarms: readonly { readonly AlarmName: string }[];
}

async function soundAlarms(endpoint: string): Promise<void> {
  const call = <T>(name: string, body: object) =>
    awsJson<T>(endpoint, `GraniteServiceVersion20100801.${name}`, body);
  const { MetricAlarms } = await call<Alarms>('DescribeAlarms', {});
  expect(MetricAlarms).not.toEqual([]);
  for (const { AlarmName } of MetricAlarms)
    await call('SetAlarmState', { AlarmName, StateValue: 'ALARM', StateReason: 'a test' });
}
