/** Joins an execution of the state machine to its run: the record of a run that was over is opened again. */
import {
  type ExecutionIdentity,
  isAtWork,
  requireContinuable,
  requireNotOver,
} from '../core/jobs/executions.ts';
import { beginRun, readRun, type TableContext } from './table.ts';

/**
 * Lets an execution continue a run. A redriven execution continues inside the pipeline, without the stage plan, so the
 * first lambda that runs finds the record of a run that is over.
 *
 * @throws RedriveRefused when another execution is continuing the run or has finished it; Interrupted when the run has
 * ended in the meantime
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
