/** Troubles a test may ask for. */
import type { EventPredicate, Events } from './events.ts';
import type { TrainingRun } from './jobs/training-run.ts';

export interface Faults {
  /**
   * Takes the spot instance of a training job away: SIGTERM, the grace, SIGKILL; the job starts again from its
   * checkpoints. Resolves when the container has ended.
   * @param graceSeconds @default - the service's stopGraceSeconds
   * @throws Error when the job is unknown, no spot job, or not Training at this moment
   */
  interrupt(jobName: string, graceSeconds?: number): Promise<void>;
  /**
   * Lets a training job reach its MaxRuntimeInSeconds now: SIGTERM, the service's stopGraceSeconds, SIGKILL, Stopped.
   * Resolves when the container has ended.
   * @throws Error when the job is unknown, or not Training at this moment
   */
  exceedRuntime(jobName: string): Promise<void>;
  /** Loses the events the predicate picks, until the returned function is called. */
  dropEvents(predicate: EventPredicate): () => void;
  /** Delivers each event so many times from now on; 1 is once. */
  duplicateEvents(copies: number): void;
}

export function createFaults(
  events: Events,
  trainingRuns: ReadonlyMap<string, TrainingRun>,
  defaultGraceSeconds: number,
): Faults {
  const training = (jobName: string): TrainingRun => {
    const run = trainingRuns.get(jobName);
    if (run) return run;
    throw new Error(`No training job ${jobName} was started by this service, so none can be ended.`);
  };
  return {
    interrupt: async (jobName, graceSeconds = defaultGraceSeconds) =>
      training(jobName).interrupt(graceSeconds),
    exceedRuntime: async (jobName) => training(jobName).exceedRuntime(),
    dropEvents: (predicate) => events.dropEvents(predicate),
    duplicateEvents: (copies) => events.duplicateEvents(copies),
  };
}

/**
 * The same for a test in another process: operation `Faults` of the service, with any of these members.
 * It is no part of SageMaker.
 */
export interface FaultsRequest {
  readonly Interrupt?: { readonly TrainingJobName: string; readonly GraceSeconds?: number };
  readonly ExceedRuntime?: { readonly TrainingJobName: string };
  /** Loses all events of the jobs whose name contains this. */
  readonly DropEventsOf?: string;
  readonly DuplicateEvents?: number;
}

export async function applyFaults(faults: Faults, request: FaultsRequest): Promise<Record<string, never>> {
  const {
    Interrupt: interrupt,
    ExceedRuntime: exceed,
    DropEventsOf: part,
    DuplicateEvents: copies,
  } = request;
  if (part !== undefined) faults.dropEvents(({ Resources: [arn] }) => arn?.includes(part) ?? false);
  if (copies !== undefined) faults.duplicateEvents(copies);
  if (interrupt) await faults.interrupt(interrupt.TrainingJobName, interrupt.GraceSeconds);
  if (exceed) await faults.exceedRuntime(exceed.TrainingJobName);
  return {};
}
