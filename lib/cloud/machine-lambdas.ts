/**
 * The lambdas that the state machine invokes. They must not reference the machine, whose definition references them.
 */

import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { keys } from '../core/keys.ts';
import { jobPrefix } from '../core/names.ts';
import type { DataReferences } from './data-stack.ts';
import { type HandlerDefaults, HandlerFunction, type HandlerFunctionProps } from './handler-function.ts';
import type { JobImage } from './job-image.ts';
import { OwnJobs } from './own-jobs.ts';
import { FILES_OF_A_RUN, OF_EVERY_RUN, SHARED_BY_RUNS } from './wildcards.ts';

export interface MachineLambdasProps extends HandlerDefaults, DataReferences {
  readonly jobRole: IRole;
  readonly image: JobImage;
  readonly instanceTypes: readonly string[];
  readonly models: 'full' | 'tiny';
  /** How long the inspection waits for photos that arrive after their request. */
  readonly photosWaitSeconds: number;
  /** Product version, stored in the run records. */
  readonly version: string;
  /** The queue for events that end-run failed to process. */
  readonly failures: IQueue;
}

type OwnProps = Omit<HandlerFunctionProps, keyof HandlerDefaults>;

export class MachineLambdas extends Construct {
  readonly planRun: HandlerFunction;
  readonly inspectPhotos: HandlerFunction;
  readonly startJob: HandlerFunction;
  readonly reconcileJob: HandlerFunction;
  readonly decideRound: HandlerFunction;
  readonly endRun: HandlerFunction;
  readonly publishRun: HandlerFunction;
  readonly #defaults: HandlerDefaults;
  readonly #jobs = new OwnJobs(this);

  constructor(scope: Construct, id: string, props: MachineLambdasProps) {
    super(scope, id);
    const { folders, logRetention, logRemoval } = props;
    this.#defaults = { folders, logRetention, logRemoval };
    this.planRun = this.#planRun(props);
    this.inspectPhotos = this.#inspectPhotos(props);
    this.startJob = this.#startJob(props);
    this.reconcileJob = this.#reconcileJob(props);
    this.decideRound = this.#decideRound(props);
    this.endRun = this.#endRun(props);
    this.publishRun = this.#publishRun(props);
  }

  #lambda(id: string, own: OwnProps): HandlerFunction {
    return new HandlerFunction(this, id, { ...this.#defaults, ...own });
  }

  #planRun(props: MachineLambdasProps): HandlerFunction {
    const { bucket, table, topic, models, version, instanceTypes, image } = props;
    const lambda = this.#lambda('PlanRun', {
      name: 'plan-run',
      description: 'reads the request, plans the run, rejects invalid requests',
      timeout: Duration.minutes(2),
      memoryMiB: 512,
      environment: {
        ...storage(props),
        TOPIC_ARN: topic.arn,
        MODEL_SCALE: models,
        VERSION: version,
        INSTANCE_TYPES: instanceTypes.join(','),
        IMAGE_URI: image.uri,
      },
    });
    const request = ['subjects/*/subject.json'];
    bucket.grantObjects(lambda, ['GetObject', 'GetObjectVersion'], request, OF_EVERY_RUN);
    bucket.grantList(lambda, ['models/*', ...request]);
    const manifest = [keys.modelManifest('*')];
    bucket.grantObjects(lambda, ['GetObject'], manifest, 'The `*` is the model that the request names.');
    bucket.grantObjects(lambda, ['PutObject'], [keys.plan('*')], OF_EVERY_RUN);
    bucket.grantObjects(lambda, ['PutObject'], ['intermediates/*/chunks/*'], FILES_OF_A_RUN);
    table.grant(lambda, 'GetItem', 'UpdateItem');
    image.repository.grant(lambda, 'ecr:DescribeImages');
    topic.grantSubscribeEmail(lambda);
    return lambda;
  }

  #inspectPhotos({ bucket, photosWaitSeconds }: MachineLambdasProps): HandlerFunction {
    const lambda = this.#lambda('InspectPhotos', {
      name: 'inspect-photos',
      description: 'checks the photos and writes the references that later stages read',
      // The maximum of Lambda, which is just enough for the maximum number of photos, each at its time limit.
      timeout: Duration.minutes(15),
      // The inspection's memory limits are set for this size, decoder and worker thread included.
      memoryMiB: 3008,
      environment: { PHOTOS_WAIT_SECONDS: String(photosWaitSeconds) },
    });
    bucket.grantObjects(lambda, ['GetObject'], ['subjects/*/photos/*'], OF_EVERY_RUN);
    // Not only of the photos: their folder may have a mistaken name.
    bucket.grantList(lambda, ['subjects/*', 'intermediates/*/references/*']);
    bucket.grantObjects(
      lambda,
      ['PutObject', 'DeleteObject'],
      ['intermediates/*/references/*'],
      FILES_OF_A_RUN,
    );
    return lambda;
  }

  #startJob(props: MachineLambdasProps): HandlerFunction {
    const { bucket, table, jobRole, instanceTypes } = props;
    const lambda = this.#lambda('StartJob', {
      name: 'start-job',
      description: 'starts the SageMaker job of a stage, or reuses the one that is running',
      // Creating jobs is throttled to about one per second; the client's retries must fit in.
      timeout: Duration.minutes(3),
      memoryMiB: 512,
      environment: {
        ...storage(props),
        JOB_ROLE_ARN: jobRole.roleArn,
        JOB_PREFIX: jobPrefix(Stack.of(this).stackName),
      },
    });
    bucket.grantObjects(lambda, ['GetObject'], [keys.plan('*')], OF_EVERY_RUN);
    const manifest = [keys.modelManifest('*')];
    bucket.grantObjects(lambda, ['GetObject'], manifest, 'The `*` is the model that the plan names.');
    bucket.grantList(lambda, ['intermediates/*', 'runs/*/pictures/*', 'class-images/*', 'models/*']);
    bucket.grantObjects(lambda, ['GetObject'], [keys.findings('*')], OF_EVERY_RUN);
    bucket.grantObjects(lambda, ['PutObject'], ['runs/*/manifests/*'], FILES_OF_A_RUN);
    table.grant(lambda, 'GetItem', 'Query', 'PutItem', 'UpdateItem');
    this.#jobs.grantCreate(lambda, { role: jobRole, instanceTypes });
    // A job or model that may exist is looked for before it is created.
    this.#jobs.grantDescribe(lambda);
    this.#jobs.grantDescribeModels(lambda);
    // For a job whose run was stopped while the job was being created.
    this.#jobs.grantStop(lambda);
    this.#jobs.grantDeleteModels(lambda);
    return lambda;
  }

  #reconcileJob(props: MachineLambdasProps): HandlerFunction {
    const { bucket, table } = props;
    const lambda = this.#lambda('ReconcileJob', {
      name: 'reconcile-job',
      description: 'looks up the state of a silent job',
      timeout: Duration.minutes(3),
      memoryMiB: 512,
      environment: storage(props),
    });
    bucket.grantList(lambda, ['intermediates/*/pictures/*', 'runs/*/pictures/*', 'runs/*/failures/*']);
    bucket.grantObjects(lambda, ['GetObject'], ['runs/*/failures/*'], FILES_OF_A_RUN);
    table.grant(lambda, 'Query', 'UpdateItem');
    this.#jobs.grantDescribe(lambda);
    // SageMaker itself ends a training that is overdue.
    this.#jobs.grantStopTransforms(lambda);
    this.#jobs.grantDeleteModels(lambda);
    return lambda;
  }

  #decideRound(props: MachineLambdasProps): HandlerFunction {
    const { bucket, table } = props;
    const lambda = this.#lambda('DecideRound', {
      name: 'decide-round',
      description: 'decides if more proxies are generated, and which ones train the student',
      timeout: Duration.minutes(1),
      memoryMiB: 512,
      environment: storage(props),
    });
    bucket.grantObjects(lambda, ['GetObject'], [keys.plan('*')], OF_EVERY_RUN);
    bucket.grantObjects(lambda, ['GetObject'], ['runs/*/jobs/*'], FILES_OF_A_RUN);
    bucket.grantObjects(lambda, ['PutObject'], ['runs/*/curation/*'], FILES_OF_A_RUN);
    table.grant(lambda, 'Query');
    return lambda;
  }

  #endRun({ table, topic, failures }: MachineLambdasProps): HandlerFunction {
    const lambda = this.#lambda('EndRun', {
      name: 'end-run',
      description: 'stops the remaining jobs after a failure, records the reason, notifies the user',
      timeout: Duration.minutes(3),
      memoryMiB: 512,
      environment: { TABLE: table.name, TOPIC_ARN: topic.arn },
      failures,
    });
    table.grant(lambda, 'GetItem', 'Query', 'UpdateItem');
    this.#jobs.grantStop(lambda);
    this.#jobs.grantDeleteModels(lambda);
    topic.grantPublish(lambda);
    return lambda;
  }

  #publishRun(props: MachineLambdasProps): HandlerFunction {
    const { bucket, table, topic } = props;
    const lambda = this.#lambda('PublishRun', {
      name: 'publish-run',
      description: 'publishes the report and notifies the user',
      // Copies hundreds of images within S3.
      timeout: Duration.minutes(5),
      memoryMiB: 512,
      environment: { ...storage(props), TOPIC_ARN: topic.arn },
    });
    bucket.grantObjects(lambda, ['GetObject'], [keys.plan('*')], OF_EVERY_RUN);
    bucket.grantObjects(lambda, ['GetObject'], ['runs/*/jobs/*', keys.drawnClass('*')], FILES_OF_A_RUN);
    bucket.grantList(lambda, ['runs/*/jobs/*', keys.drawnClass('*'), 'class-images/*']);
    bucket.grantObjects(lambda, ['PutObject'], ['runs/*/report/*'], FILES_OF_A_RUN);
    bucket.grantObjects(lambda, ['PutObject'], ['class-images/*'], SHARED_BY_RUNS);
    table.grant(lambda, 'GetItem', 'Query', 'UpdateItem');
    // Models of the run's transforms that could not be deleted before.
    this.#jobs.grantDeleteModels(lambda);
    topic.grantPublish(lambda);
    return lambda;
  }
}

/** The environment variables with the names of the bucket and the table. */
function storage({ bucket, table }: DataReferences): Record<string, string> {
  return { BUCKET: bucket.name, TABLE: table.name };
}
