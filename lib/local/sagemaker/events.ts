/** State-change events in EventBridge's format, with the faults that tests inject. */
import type { JobRecord, TrainingRecord, TransformRecord } from './state/records.ts';

/** One entry of PutEvents, with the detail as an object. */
export interface SageMakerEvent {
  readonly Source: 'aws.sagemaker';
  readonly DetailType: 'SageMaker Training Job State Change' | 'SageMaker Transform Job State Change';
  readonly Resources: readonly string[];
  readonly Detail: Readonly<Record<string, unknown>>;
}

/** Delivers one event. If it throws, the error is logged and the event dropped: SageMaker's delivery is best effort. */
export type PutEvent = (event: SageMakerEvent) => Promise<void>;

export type EventPredicate = (event: SageMakerEvent) => boolean;

export class Events {
  readonly #put: PutEvent | undefined;
  readonly #warn: (message: string) => void;
  readonly #drops = new Set<EventPredicate>();
  #copies = 1;
  #queue: Promise<void> = Promise.resolve();

  constructor(put: PutEvent | undefined, warn: (message: string) => void) {
    this.#put = put;
    this.#warn = warn;
  }

  /** Drops the events that match the predicate, until the returned function is called. */
  dropEvents(predicate: EventPredicate): () => void {
    this.#drops.add(predicate);
    return () => this.#drops.delete(predicate);
  }

  /** Delivers each event this many times. */
  duplicateEvents(copies: number): void {
    if (!Number.isInteger(copies) || copies < 1)
      throw new RangeError(`The number of copies must be 1 or more, got ${copies}.`);
    this.#copies = copies;
  }

  training(job: TrainingRecord): void {
    this.#emit({
      Source: 'aws.sagemaker',
      DetailType: 'SageMaker Training Job State Change',
      Resources: [job.arn],
      Detail: trainingDetail(job),
    });
  }

  transform(job: TransformRecord): void {
    this.#emit({
      Source: 'aws.sagemaker',
      DetailType: 'SageMaker Transform Job State Change',
      Resources: [job.arn],
      Detail: transformDetail(job),
    });
  }

  /** Resolves when all events emitted so far are delivered or dropped. */
  settled(): Promise<void> {
    return this.#queue;
  }

  #emit(event: SageMakerEvent): void {
    const put = this.#put;
    if (!put || [...this.#drops].some((drops) => drops(event))) return;
    for (let copy = 0; copy < this.#copies; copy += 1) {
      this.#queue = this.#queue
        .then(() => put(event))
        .catch((error) => this.#warn(`event dropped (${event.DetailType}, ${event.Resources[0]}): ${error}`));
    }
  }
}

/** Times in training events are epoch milliseconds. */
function trainingDetail(job: TrainingRecord): Record<string, unknown> {
  const { Tags, ...request } = job.request;
  return {
    ...request,
    TrainingJobArn: job.arn,
    TrainingJobStatus: job.status,
    SecondaryStatus: job.secondary,
    ...failed(job),
    HyperParameters: request.HyperParameters ?? {},
    InputDataConfig: request.InputDataConfig ?? [],
    VpcConfig: request.VpcConfig ?? {},
    CreationTime: job.created,
    ...(job.started !== undefined && { TrainingStartTime: job.started }),
    ...(job.ended !== undefined && { TrainingEndTime: job.ended }),
    LastModifiedTime: job.modified,
    ...(job.artifacts && { ModelArtifacts: { S3ModelArtifacts: job.artifacts } }),
    SecondaryStatusTransitions: job.transitions.map(({ status, start, end, message }) => ({
      Status: status,
      StartTime: start,
      ...(end !== undefined && { EndTime: end }),
      StatusMessage: message,
    })),
    Tags: tagMap(job),
  };
}

/** Times in transform events are ISO strings, or null while unknown. */
function transformDetail(job: TransformRecord): Record<string, unknown> {
  const { Tags, ...request } = job.request;
  const iso = (time: number | undefined) => (time === undefined ? null : new Date(time).toISOString());
  return {
    ...request,
    TransformJobArn: job.arn,
    TransformJobStatus: job.status,
    ...failed(job),
    Environment: request.Environment ?? {},
    CreationTime: iso(job.created),
    TransformStartTime: iso(job.started),
    TransformEndTime: iso(job.ended),
    Tags: tagMap(job),
  };
}

function failed(job: JobRecord): Record<string, string> {
  return job.status === 'Failed' && job.failureReason ? { FailureReason: job.failureReason } : {};
}

function tagMap(job: JobRecord): Record<string, string> {
  return Object.fromEntries(job.tags.map(({ Key, Value }) => [Key, Value]));
}
