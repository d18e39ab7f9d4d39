/** Faults that tests inject. */
import type { EventPredicate } from './events.ts';
import type { TrainingRun } from './jobs/training-run.ts';
import type { ServiceContext } from './operations/service-context.ts';

export interface Faults {
  /**
   * Interrupts the spot instance of a training job: SIGTERM, the grace period, SIGKILL; the job restarts from its
   * checkpoints. Resolves when the container has ended.
   * @param graceSeconds @default - the service's stopGraceSeconds
   * @throws Error if the job is unknown, not a spot job, or not Training at the moment
   */
  interrupt(jobName: string, graceSeconds?: number): Promise<void>;
  /**
   * Makes a training job reach its MaxRuntimeInSeconds now: SIGTERM, the service's stopGraceSeconds, SIGKILL, Stopped.
   * Resolves when the container has ended.
   * @throws Error if the job is unknown, or not Training at the moment
   */
  exceedRuntime(jobName: string): Promise<void>;
  /** Drops the events that match the predicate, until the returned function is called. */
  dropEvents(predicate: EventPredicate): () => void;
  /** Delivers each event this many times from now on. */
  duplicateEvents(copies: number): void;
  /** Applies values to quotas, by their names. @throws RangeError for a name that no quota has */
  setQuotas(values: Readonly<Record<string, number>>): void;
  /** Checks quotas before the names of new jobs, or after them. */
  checkLimitsFirst(first: boolean): void;
  /** Sets variables of the containers of all jobs that are created from now on, over the service's own. */
  setContainerEnv(variables: Readonly<Record<string, string>>): void;
}

export function createFaults(context: ServiceContext): Faults {
  const { events, trainingRuns, stopGraceSeconds: defaultGraceSeconds } = context;
  const training = (jobName: string): TrainingRun => {
    const run = trainingRuns.get(jobName);
    if (run) return run;
    throw new Error(`This service has not started a training job ${jobName}.`);
  };
  return {
    interrupt: async (jobName, graceSeconds = defaultGraceSeconds) =>
      training(jobName).interrupt(graceSeconds),
    exceedRuntime: async (jobName) => training(jobName).exceedRuntime(),
    dropEvents: (predicate) => events.dropEvents(predicate),
    duplicateEvents: (copies) => events.duplicateEvents(copies),
    setQuotas: (values) => context.quotas.set(values),
    checkLimitsFirst: (first) => {
      context.limitsFirst = first;
    },
    setContainerEnv: (variables) => {
      context.containerEnv = { ...context.containerEnv, ...variables };
    },
  };
}

/**
 * Faults for a test in another process: the operation `Faults` of the service, which SageMaker does not have, with
 * any of these members.
 */
export interface FaultsRequest {
  readonly Interrupt?: { readonly TrainingJobName: string; readonly GraceSeconds?: number };
  readonly ExceedRuntime?: { readonly TrainingJobName: string };
  /** Drops all events of the jobs whose name contains this. */
  readonly DropEventsOf?: string;
  readonly DuplicateEvents?: number;
  /** Values of quotas by their names. */
  readonly Quotas?: Readonly<Record<string, number>>;
  /** Checks quotas before the names of new jobs, or after them. */
  readonly LimitsFirst?: boolean;
}

export async function applyFaults(faults: Faults, request: FaultsRequest): Promise<Record<string, never>> {
  const {
    Interrupt: interrupt,
    ExceedRuntime: exceed,
    DropEventsOf: part,
    DuplicateEvents: copies,
    Quotas: quotas,
    LimitsFirst: first,
  } = request;
  if (quotas !== undefined) faults.setQuotas(quotas);
  if (first !== undefined) faults.checkLimitsFirst(first);
  if (part !== undefined) faults.dropEvents(({ Resources: [arn] }) => arn?.includes(part) ?? false);
  if (copies !== undefined) faults.duplicateEvents(copies);
  if (interrupt) await faults.interrupt(interrupt.TrainingJobName, interrupt.GraceSeconds);
  if (exceed) await faults.exceedRuntime(exceed.TrainingJobName);
  return {};
}
