/** Our own services next to the emulator: SageMaker with Service Quotas, and Step Functions. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { BucketContext } from '../aws/s3.ts';
import { names } from '../core/contract/names.ts';
import type { EventBus } from './event-bus.ts';
import type { Authorizer } from './iam/authorizer.ts';
import { RoleClients } from './iam/role-clients.ts';
import { lambdaPlaces } from './lambda-places.ts';
import { withLinkedListings } from './linked-models.ts';
import { PYTHON } from './paths.ts';
import { type Faults, startSageMakerService } from './sagemaker/index.ts';
import type { S3Access } from './sagemaker/transfer/objects.ts';
import { STATES } from './states/api/permissions.ts';
import { type InvokeLambda, invokeThrough } from './states/lambda.ts';
import { startStatesService } from './states/service.ts';

/** On AWS a container has 120 s to end; here it does not wait for a network. */
const STOP_GRACE_SECONDS = 20;

export interface ServicesOptions {
  /** Each service has a folder in it. */
  readonly dataDir: string;
  /** The access to the emulator, which need not run yet. */
  readonly access: S3Access;
  readonly authorizer: Authorizer;
  readonly bus: EventBus;
  /** Returns the bucket with the models; undefined until the stack is deployed. */
  readonly models: () => BucketContext | undefined;
  readonly log: (line: string) => void;
}

export interface Services {
  /** Environment variables that lead SDKs to the services. */
  readonly endpoints: Readonly<Record<string, string>>;
  readonly faults: Faults;
}

/** Functions that end each part of the local cloud, to be called in reverse order. */
export type Closers = (() => Promise<void>)[];

/** Starts the services. @param closers - gets a function for each of them */
export async function startServices(options: ServicesOptions, closers: Closers): Promise<Services> {
  const { dataDir, access, authorizer, bus, log } = options;
  const sagemaker = await startSageMakerService({
    dataDir: join(dataDir, 'sagemaker'),
    s3: access,
    authorizer,
    putEvent: (event) => bus.put(event),
    commands: { train: [PYTHON, '-m', 'proxytune', 'train'], serve: [PYTHON, '-m', 'proxytune', 'serve'] },
    containerEnv: containerEnvironment(),
    stopGraceSeconds: STOP_GRACE_SECONDS,
    log,
  });
  closers.push(() => sagemaker.close());
  const states = await startStatesService({
    dataDir: join(dataDir, 'states'),
    maxConcurrentLambdas: lambdaPlaces(),
    authorizer,
    invokeLambda: withLinkedListings(invokeAsRole(access, authorizer), options.models),
    onStatusChange: (event) =>
      bus.put({
        Source: event.source,
        DetailType: event['detail-type'],
        Detail: event.detail,
        Resources: event.resources,
      }),
    log,
  });
  closers.push(() => states.close());
  const endpoints = {
    AWS_ENDPOINT_URL_SFN: states.endpoint,
    AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.endpoint,
    AWS_ENDPOINT_URL_SERVICE_QUOTAS: sagemaker.endpoint,
  };
  return { endpoints, faults: sagemaker.faults };
}

/** Invokes functions of the emulator with the keys of the state machine's role. */
function invokeAsRole(access: S3Access, authorizer: Authorizer): InvokeLambda {
  const clients = new RoleClients(authorizer, 'StepFunctions', (credentials) => {
    // Longer than Lambda's maximum of fifteen minutes, so that the emulator's own timeout comes first.
    const requestHandler = { requestTimeout: 930_000 };
    return new LambdaClient({ ...access, credentials, maxAttempts: 1, requestHandler });
  });
  return invokeThrough(({ roleArn, stateMachineArn }) =>
    clients.of({ service: STATES, role: roleArn, source: stateMachineArn }),
  );
}

/** Environment variables of every container; the service adds the access to the bucket where there is a network. */
function containerEnvironment(): Record<string, string> {
  return {
    OMP_NUM_THREADS: String(availableParallelism()),
    HF_HUB_OFFLINE: '1',
    // On AWS a model server must be reachable from outside its container; here that would be from outside the machine.
    [names.environment.bindHost]: '127.0.0.1',
    // This machine takes the place of instances that have GPUs; a job that finds none here says so in its log.
    [names.environment.emulated]: 'yes',
  };
}
