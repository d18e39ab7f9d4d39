/** Events that no lambda can process, or that have no lambda any more: they end in the queue, and its alarm notifies. */
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { DeleteFunctionCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand, ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { awsJson } from '../../local/emulator/helpers.ts';
import { JOB_PREFIX, lambdaName, type TestCloud, until } from '../pipeline.ts';

const CALLED_BY_EVENTS = ['StartRun', 'WithdrawRun', 'CompleteJob', 'EndRun'];

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
  const lost = { Bucket: cloud.bucket, Key: 'subjects/lost/subject.json', Body: '{}' };
  await cloud.s3.send(new PutObjectCommand(lost));
  await cloud.s3.send(new DeleteObjectCommand({ Bucket: lost.Bucket, Key: lost.Key }));
  const events = new EventBridgeClient({ ...cloud.config, endpoint });
  const Entries = eventsOf(cloud).map(([Source, DetailType, detail]) => ({
    Source,
    DetailType,
    Detail: JSON.stringify(detail),
  }));
  // Refused entries do not fail the request.
  expect(await events.send(new PutEventsCommand({ Entries }))).toMatchObject({ FailedEntryCount: 0 });
  events.destroy();
  await untilQueued(cloud, names.length + 2 + Entries.length);
}

/** An event for each rule but those of requests: only S3 itself sends its events. */
const eventsOf = ({ machine }: TestCloud): [string, string, object][] => [
  ['aws.sagemaker', 'SageMaker Training Job State Change', { TrainingJobName: `${JOB_PREFIX}lost` }],
  ['aws.sagemaker', 'SageMaker Transform Job State Change', { TransformJobName: `${JOB_PREFIX}lost` }],
  ['aws.states', 'Step Functions Execution Status Change', { stateMachineArn: machine, status: 'FAILED' }],
];

/** Lambda makes three attempts within some seconds. */
const LONGEST_DELIVERY_MS = 120_000;

async function untilQueued(cloud: TestCloud, messages: number): Promise<void> {
  const sqs = new SQSClient({ ...cloud.config, endpoint: cloud.local.environment.AWS_ENDPOINT_URL ?? '' });
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
  const QueueUrl = QueueUrls.find((url) => url.includes('EventQueue'));
  const AttributeNames = ['ApproximateNumberOfMessages' as const];
  const deadline = Date.now() + LONGEST_DELIVERY_MS;
  await until(async () => {
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
    const queued = Number(Attributes?.ApproximateNumberOfMessages);
    if (queued < messages && Date.now() > deadline)
      throw new Error(`${queued} of ${messages} events are in the dead-letter queue`);
    return queued >= messages || undefined;
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
