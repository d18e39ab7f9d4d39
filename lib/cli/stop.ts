/** Stops runs: aborts their executions, and waits until what they started has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AwsContext } from '../aws/context.ts';
import { listRunningExecutions, stopExecution } from '../aws/executions.ts';
import { readRunView } from './run-state.ts';

/** How long stopped runs may take to end their jobs. */
const PATIENCE_MS = 40_000;

/** Stops every running run that matches. @returns their names */
export async function stopRuns(aws: AwsContext, chosen: (runId: string) => boolean): Promise<string[]> {
  const stopped: string[] = [];
  for (const { name, arn } of await listRunningExecutions(aws, aws.stateMachine)) {
    const runId = runOf(name);
    if (!chosen(runId)) continue;
    const cause = `Stopped with Ctrl-C. What to do: npx proxytune run --local --resume ${runId}`;
    await stopExecution(aws, arn, { error: 'Interrupted', cause });
    stopped.push(runId);
  }
  const deadline = Date.now() + PATIENCE_MS;
  for (const runId of stopped) {
    while (Date.now() < deadline && (await readRunView(aws, runId))?.status === 'RUNNING') await sleep(300);
  }
  return stopped;
}

/** An execution that resumes a run is called `<run>-r<time>`; a run's own name ends in its digest. */
function runOf(execution: string): string {
  return /^(.+-[0-9a-f]{8})-r[0-9a-z]+$/.exec(execution)?.[1] ?? execution;
}
