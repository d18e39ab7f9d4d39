/** The EventBridge rules that call lambdas, and the queue for events that could not be delivered. */

import { type EventPattern, Match, Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { REQUEST_ENDS } from '../core/keys.ts';
import { jobPrefix } from '../core/names.ts';
import { acknowledge } from './acknowledge.ts';
import { COUNTED, OccurrenceAlarm } from './alarms.ts';
import type { BucketAccess, TopicAccess } from './data-access.ts';

export interface EventDeadLetterQueueProps {
  readonly topic: TopicAccess;
  /** Keep the queue, with the events in it, when the stack is deleted. @default - delete it with the stack */
  readonly retain?: boolean;
}

/** The dead-letter queue for events, with an alarm that notifies of each new message. */
export class EventDeadLetterQueue extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string, { topic, retain = false }: EventDeadLetterQueueProps) {
    super(scope, id);
    this.queue = new Queue(this, 'Resource', {
      enforceSSL: true,
      encryption: QueueEncryption.SQS_MANAGED,
      // The longest that SQS allows.
      retentionPeriod: Duration.days(14),
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    acknowledge(
      this.queue,
      'SQS3',
      'This is the dead-letter queue, which the rule cannot detect because rules and lambdas, not queues, send to it. ' +
        'An alarm watches it.',
    );
    new OccurrenceAlarm(this, 'Alarm', {
      description:
        'Proxytune missed an event: a run may not have started, or a failed run may not have been cleaned up. ' +
        'The event stays in the queue for 14 days',
      // The messages that arrive, not those that are there: nothing takes them out of the queue, so the alarm would
      // stay on for 14 days and not notify of any other event.
      metric: this.queue.metricNumberOfMessagesSent(COUNTED),
      topic,
    });
  }
}

export interface EventsProps {
  readonly bucket: BucketAccess;
  readonly machine: IStateMachine;
  readonly startRun: IFunction;
  readonly withdrawRun: IFunction;
  readonly completeJob: IFunction;
  readonly endRun: IFunction;
  readonly deadLetterQueue: IQueue;
}

export class Events extends Construct {
  /** The rule that starts runs. */
  readonly starting: Rule;
  /** The rules that record how jobs and runs end. */
  readonly ending: readonly Rule[];
  readonly #deadLetterQueue: IQueue;

  constructor(scope: Construct, id: string, props: EventsProps) {
    super(scope, id);
    this.#deadLetterQueue = props.deadLetterQueue;
    const { bucket, machine, startRun, withdrawRun, completeJob, endRun } = props;
    this.starting = this.#rule(
      'PhotosReady',
      'subject.json was uploaded, or a file with a mistaken name',
      startRun,
      {
        ...requestEvents(
          bucket,
          REQUEST_ENDS.map((end) => ({ suffix: { 'equals-ignore-case': end } })),
        ),
        detailType: ['Object Created'],
      },
    );
    this.#rule('RequestDeleted', 'subject.json was deleted', withdrawRun, {
      // The `*` also matches a `/`; the lambda checks the key again.
      ...requestEvents(bucket, Match.wildcard('subjects/*/subject.json')),
      detailType: ['Object Deleted'],
    });
    const ownJobs = Match.prefix(jobPrefix(Stack.of(this).stackName));
    this.ending = [
      this.#rule('TrainingChanged', 'a Proxytune training job changed state', completeJob, {
        source: ['aws.sagemaker'],
        detailType: ['SageMaker Training Job State Change'],
        detail: { TrainingJobName: ownJobs },
      }),
      this.#rule('TransformChanged', 'a Proxytune transform job changed state', completeJob, {
        source: ['aws.sagemaker'],
        detailType: ['SageMaker Transform Job State Change'],
        detail: { TransformJobName: ownJobs },
      }),
      this.#rule('RunFailed', 'a run failed, possibly without going through its failure path', endRun, {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: { stateMachineArn: [machine.stateMachineArn], status: ['FAILED', 'TIMED_OUT', 'ABORTED'] },
      }),
    ];
  }

  #rule(id: string, when: string, lambda: IFunction, eventPattern: EventPattern): Rule {
    const rule = new Rule(this, id, { description: `Proxytune: ${when}`, eventPattern });
    rule.addTarget(
      new LambdaFunction(lambda, {
        deadLetterQueue: this.#deadLetterQueue,
        // reconcile-job has long picked up an older state change.
        maxEventAge: Duration.hours(6),
        retryAttempts: 20,
      }),
    );
    return rule;
  }
}

/** Events of the requests in the bucket. @param key - condition on the key, which the lambdas check again */
function requestEvents(bucket: BucketAccess, key: unknown): EventPattern {
  return {
    source: ['aws.s3'],
    detail: {
      bucket: { name: [bucket.name] },
      object: { key },
    },
  };
}
