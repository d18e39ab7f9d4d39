/**
 * The path of every failed run: stops the remaining jobs, records the reason, notifies the user.
 *
 * Input: `{error: {Error, Cause}, redrives}`, as set by a catcher. Error and Cause may each be absent, null or empty: a
 * timeout has no cause.
 * Ends the execution as FAILED with the error's name and a message for the user: end-run throws them. So the state in
 * which the execution failed is this one, and a redrive of it, as the console offers, enters it again: end-run then
 * succeeds, and the pipeline runs again, in which finished stages are skipped. A Fail state could only fail again.
 * If end-run itself crashes, the execution still ends with the first error, and the failed execution calls end-run again
 * (`RunFailed` in `events.ts`).
 */
import {
  Errors,
  Fail,
  type IChainable,
  type INextable,
  type State,
  StateMachineFragment,
} from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../handler-function.ts';
import { EXECUTION_IDENTITY, EXECUTION_INPUT, REDRIVEN_SINCE } from './execution.ts';
import { lambdaTask } from './lambda-task.ts';
import { LAMBDA_ERRORS } from './retries.ts';

export interface FailurePathProps {
  readonly endRun: HandlerFunction;
  /** Continues when the failed execution is redriven. */
  readonly redriven: IChainable;
}

export class FailurePath extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[] = [];

  constructor(scope: Construct, id: string, { endRun, redriven }: FailurePathProps) {
    super(scope, id);
    const end = lambdaTask(this, 'End the run', {
      comment: 'Stop the remaining jobs, record the reason, notify the user; continue when redriven',
      lambda: endRun,
      payload: {
        runId: '{% $runId %}',
        error: '{% $states.input.error %}',
        execution: EXECUTION_IDENTITY,
        redriven: REDRIVEN_SINCE,
      },
      output: EXECUTION_INPUT,
    });
    const failed = Fail.jsonata(this, 'Failed', {
      error: '{% $states.input.error %}',
      cause: '{% $states.input.cause %}',
    });
    end.addCatch(failed, {
      errors: [...LAMBDA_ERRORS, Errors.TIMEOUT],
      outputs: { error: textOr('Error', 'States.TaskFailed'), cause: textOr('Cause', '') },
    });
    end.next(redriven);
    this.startState = end;
  }
}

/** An expression for a member of the caught error that must be a text, because Fail accepts nothing else. */
function textOr(member: 'Error' | 'Cause', otherwise: string): string {
  const value = `$states.input.error.${member}`;
  return `{% $type(${value}) = 'string' ? ${value} : '${otherwise}' %}`;
}
