/**
 * A local SageMaker service: the AWS JSON protocol on 127.0.0.1, requests validated like in SageMaker, and the
 * containers' code run as processes with the data of the local S3. It also serves its quotas, as Service Quotas does.
 */
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Authorizer } from '../iam/authorizer.ts';
import { QUOTAS_TARGET, quotaNeeds, runQuotasOperation } from '../service-quotas/operations.ts';
import { Quotas } from '../service-quotas/quotas.ts';
import { Slots } from '../slots.ts';
import { RoleAccess } from './access/role-access.ts';
import { Watchdog } from './container/watchdog.ts';
import { ServiceError } from './errors.ts';
import { type EventPredicate, Events, type PutEvent } from './events.ts';
import { applyFaults, createFaults, type Faults, type FaultsRequest } from './faults.ts';
import { apiModel, shapeNamed } from './model/shapes.ts';
import { operations } from './operations/index.ts';
import { runOperation } from './operations/run-operation.ts';
import type { ServiceContext } from './operations/service-context.ts';
import { type Handler, serveJson } from './protocol.ts';
import { failOrphans } from './recovery.ts';
import { openState } from './state/store.ts';
import type { S3Access } from './transfer/objects.ts';

export type { PutEvent, SageMakerEvent } from './events.ts';
export type { Faults, FaultsRequest } from './faults.ts';
export { jobLogFile } from './jobs/context.ts';

export interface SageMakerServiceOptions {
  /** The folder with the service's state, and the folders and logs of jobs; persistent. */
  readonly dataDir: string;
  /** The S3 that jobs read and write; its region is the service's. */
  readonly s3: S3Access;
  /** Decides who may do what; jobs then act with keys of their roles. @default - everybody may do everything */
  readonly authorizer?: Authorizer;
  /** Delivers state changes, for example to an event bus that accepts the source aws.sagemaker. @default - no events */
  readonly putEvent?: PutEvent;
  /** The commands that replace the image's `train` and `serve`: program and arguments. */
  readonly commands: { readonly train: readonly string[]; readonly serve: readonly string[] };
  /** Variables for every container, which a request's own override. @default - none */
  readonly containerEnv?: Readonly<Record<string, string>>;
  /** Seconds from SIGTERM to SIGKILL. @default - 120, as on AWS */
  readonly stopGraceSeconds?: number;
  /** Faults that apply from the start. @default - none */
  readonly faults?: { readonly dropEvents?: EventPredicate; readonly duplicateEvents?: number };
  /** The most jobs that run at once; more have to wait. @default - 2 */
  readonly maxConcurrentJobs?: number;
  /** Values of SageMaker's quotas by their names. @default - a hundred instances each, and AWS's longest run time */
  readonly quotas?: Readonly<Record<string, number>>;
  /**
   * Checks quotas before names, so that Create of a job that uses up its quota answers ResourceLimitExceeded instead of
   * ResourceInUse. Which of them SageMaker checks first is not documented.
   * @default false
   */
  readonly limitsFirst?: boolean;
  /**
   * Lets each host of a job remove from the checkpoint prefix what it does not have itself, including what other hosts
   * have written. SageMaker's documents say only that what is deleted in the container is deleted in S3.
   * @default false
   */
  readonly mirrorsRemoveForeign?: boolean;
  /** @default - '000000000000', the account of the local cloud */
  readonly accountId?: string;
  /** Called with a line for each notable event. @default - silent */
  readonly log?: (message: string) => void;
}

export interface SageMakerService {
  readonly endpoint: string;
  readonly faults: Faults;
  /** Ends all containers and the service. Jobs in progress become Failed when the next service starts. */
  close(): Promise<void>;
}

/** Starts the service on a free port; jobs that an earlier one left in progress become Failed. */
export async function startSageMakerService(options: SageMakerServiceOptions): Promise<SageMakerService> {
  const context = await openContext(options);
  const { events, trainingRuns, transformRuns } = context;
  const faults = createFaults(context);
  if (options.faults?.dropEvents) faults.dropEvents(options.faults.dropEvents);
  if (options.faults?.duplicateEvents !== undefined) faults.duplicateEvents(options.faults.duplicateEvents);
  failOrphans(context);
  const calls = new Calls();
  const sageMaker: Handler = async (name, request, signed) => {
    if (name === 'Faults') return applyFaults(faults, request as FaultsRequest);
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (!operation)
      throw new ServiceError('UnknownOperationException', `Operation ${name} is not supported here.`);
    return calls.run(() => runOperation(name, operation, context, { request, signed }));
  };
  const account = { region: context.s3.region, accountId: context.accountId };
  const serviceQuotas: Handler = async (name, request, signed) => {
    await context.roles.request(signed, quotaNeeds(account, name, request as object));
    return runQuotasOperation(context.quotas, account, name, request as object);
  };
  const { server, endpoint } = await serveJson({
    [apiModel.targetPrefix]: sageMaker,
    [QUOTAS_TARGET]: serviceQuotas,
  });
  const close = async () => {
    await calls.end();
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections();
    await Promise.all([...trainingRuns.values(), ...transformRuns.values()].map((run) => run.close()));
    await Promise.all([closed, events.settled(), context.watchdog.close()]);
    context.roles.close();
  };
  let closing: Promise<void> | undefined;
  return {
    endpoint,
    faults,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

async function openContext(options: SageMakerServiceOptions): Promise<ServiceContext> {
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  const log = options.log ?? (() => {});
  const types = (shape: string) => shapeNamed(shape).enum ?? [];
  const quotas = new Quotas({
    training: types('TrainingInstanceType'),
    transform: types('TransformInstanceType'),
  });
  quotas.set(options.quotas ?? {});
  const roles = new RoleAccess(options.s3, options.authorizer);
  return {
    dataDir,
    roles,
    ...roles.service,
    serviceObjects: roles.service.objects,
    state: openState(dataDir),
    events: new Events(options.putEvent, log),
    slots: new Slots(options.maxConcurrentJobs ?? 2),
    watchdog: new Watchdog(log),
    commands: options.commands,
    containerEnv: options.containerEnv ?? {},
    stopGraceSeconds: options.stopGraceSeconds ?? 120,
    log,
    accountId: options.accountId ?? '000000000000',
    quotas,
    limitsFirst: options.limitsFirst ?? false,
    mirrorsRemoveForeign: options.mirrorsRemoveForeign ?? false,
    trainingRuns: new Map(),
    transformRuns: new Map(),
  };
}

/** Active operations: one of them may be about to start a job, so closing waits for them and accepts no more. */
class Calls {
  readonly #running = new Set<Promise<unknown>>();
  #ended = false;

  async run<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#ended)
      throw new ServiceError('ServiceUnavailable', 'The local SageMaker service is closing.', 503);
    const running = call();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.allSettled(this.#running);
  }
}
