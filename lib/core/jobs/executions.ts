/**
 * The execution that works on a run. A run may have several executions, one after another, and each may be redriven. The
 * record names the current one with its redrives, so that a late event of an earlier one changes nothing.
 */
import { ProxytuneError } from '../errors.ts';
import type { RunRecord } from './records.ts';

/** Identity of an execution. */
export interface ExecutionIdentity {
  readonly name: string;
  /** When it was started, or redriven last. */
  readonly begunAt: string;
  /** How often it was redriven. */
  readonly redrives: number;
}

/** Returns true if this execution works on the run, and has not been redriven since the record was opened. */
export function isAtWork(run: RunRecord, { name, redrives }: ExecutionIdentity): boolean {
  return run.execution === name && (run.redrives ?? 0) === redrives;
}

/**
 * Refuses a redriven execution whose run went on without it.
 * @throws RedriveRefused
 */
export function requireContinuable(run: RunRecord, execution: ExecutionIdentity): void {
  const another = run.execution !== undefined && run.execution !== execution.name;
  if (execution.redrives === 0 || !another) return;
  if (run.status === 'RUNNING') {
    throw refused(
      run,
      `is being continued by the execution ${run.execution}`,
      'wait for the end of that execution; if it fails, redrive it instead of this one',
    );
  }
  if (run.status === 'SUCCEEDED') {
    throw refused(
      run,
      `was finished by the execution ${run.execution}`,
      `nothing: its report is there (npx proxytune report ${run.runId}); for another one upload subject.json again`,
    );
  }
}

/** Refuses work for a run that has ended in the meantime, for example because its execution was aborted just now. */
export function requireNotOver(run: RunRecord, execution: ExecutionIdentity): void {
  if (!isAtWork(run, execution) || run.status === 'RUNNING') return;
  throw new ProxytuneError('Interrupted', {
    what: 'The run ended before this step of it began',
    given: `${run.runId}, which is ${run.status}`,
    remedy: 'redrive its execution in the Step Functions console, or upload subject.json again',
  });
}

function refused({ runId, status }: RunRecord, what: string, remedy: string): ProxytuneError {
  return new ProxytuneError('RedriveRefused', {
    what: `The run of this execution ${what}, so this one cannot be redriven`,
    given: `${runId}, which is ${status}`,
    remedy,
  });
}
