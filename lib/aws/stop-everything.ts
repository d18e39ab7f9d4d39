/** Stops everything of a stack that costs money: the executions of its state machine, and its SageMaker jobs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StateMachineDoesNotExist } from '@aws-sdk/client-sfn';
import { type ExecutionsContext, listRunningExecutions, stopExecution } from './executions.ts';
import { type JobsContext, listUnfinishedJobs, stopJob } from './jobs.ts';

export interface StopOptions {
  readonly stateMachine: string;
  /** Prefixes of the names of the jobs; without any, those of the runs that were stopped. */
  readonly jobPrefix: string;
  /** True for all jobs of the prefix, also those that no run has started. @default - those of the runs stopped here */
  readonly all?: boolean;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

/** SageMaker answers two List calls a second, and each look takes four. */
const BETWEEN_LOOKS_MS = 3000;
/** Looks in a row that must find nothing: a lambda may have been creating a job when its run was stopped. */
const QUIET_LOOKS = 2;

const REASON = {
  error: 'Interrupted',
  cause:
    'The stack was deleted during the run. What to do: deploy it again, then upload subject.json again to start another run.',
};

/**
 * Stops executions and jobs until none is left. Jobs that save their results are waited for until the deadline, because
 * the role with which they do so is deleted next.
 *
 * @throws Error naming the jobs that still run at the deadline; those that are stopping are not among them
 */
export async function stopEverything(
  context: ExecutionsContext & JobsContext,
  { stateMachine, jobPrefix, all = false, deadline }: StopOptions,
): Promise<void> {
  const runs = new Set<string>();
  const isOurs = (jobName: string) =>
    all || [...runs].some((run) => jobName.startsWith(`${jobPrefix}${run}-`));
  for (let quiet = 0; ; await sleep(BETWEEN_LOOKS_MS)) {
    for (const run of await stopExecutions(context, stateMachine)) runs.add(run);
    const jobs = all || runs.size > 0 ? await listUnfinishedJobs(context, jobPrefix) : [];
    const unfinished = jobs.filter(({ jobName }) => isOurs(jobName));
    const running = unfinished.filter(({ stopping }) => !stopping);
    // One at a time: an account may stop a few jobs a second.
    for (const job of running) await stopJob(context, job);
    quiet = unfinished.length === 0 ? quiet + 1 : 0;
    if (quiet >= QUIET_LOOKS) return;
    if (Date.now() + BETWEEN_LOOKS_MS < deadline) continue;
    if (running.length === 0) return;
    throw new Error(
      `SageMaker still runs ${running.map(({ jobName }) => jobName).join(', ')}; delete the stack again to stop them`,
    );
  }
}

/** @returns the names of the executions that were running, which are those of their runs */
async function stopExecutions(context: ExecutionsContext, stateMachine: string): Promise<string[]> {
  try {
    const executions = await listRunningExecutions(context, stateMachine);
    for (const { arn } of executions) await stopExecution(context, arn, REASON);
    return executions.map(({ name }) => name);
  } catch (error) {
    if (error instanceof StateMachineDoesNotExist) return [];
    throw error;
  }
}
