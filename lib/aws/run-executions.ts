/** An execution of the state machine joins its run: the record of a run that was over is opened again. */
import {
  type ExecutionIdentity,
  isAtWork,
  requireContinuable,
  requireNotOver,
} from '../core/jobs/executions.ts';
import { beginRun, readRun, type TableContext } from './table.ts';

/**
 * Lets an execution go on with a run. One that was redriven continues inside the pipeline, without the stage plan, so
 * whatever runs first finds the record of a run that is over.
 *
 * @throws RedriveRefused when another execution continues the run or has finished it; Interrupted when the run ended
 * meanwhile
 */
export async function joinRun(
  context: TableContext,
  runId: string,
  execution: ExecutionIdentity | undefined,
): Promise<void> {
  const run = execution && (await readRun(context, runId));
  if (execution === undefined || run === undefined) return;
  requireContinuable(run, execution);
  requireNotOver(run, execution);
  if (isAtWork(run, execution)) return;
  await beginRun(context, { runId, subject: run.subject, bucket: run.bucket }, execution);
}
