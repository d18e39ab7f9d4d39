/**
 * The path of every failed run: stops the remaining jobs, records the reason, notifies the user.
 *
 * Input: `{error: {Error, Cause}}`, as set by a catcher. Either may be absent, null or empty: a timeout has no cause.
 * Ends the execution as FAILED with the error's name and a message for the user. If end-run itself fails, the
 * execution still ends with the first error, and the failed execution calls end-run again (`RunFailed` in
 * `events.ts`).
 */
import {
  Errors,
  Fail,
  type INextable,
  type State,
  StateMachineFragment,
} from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../handler-function.ts';
import { lambdaTask } from './lambda-task.ts';

export class FailurePath extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[] = [];

  constructor(scope: Construct, id: string, { endRun }: { readonly endRun: HandlerFunction }) {
    super(scope, id);
    const end = lambdaTask(this, 'End the run', {
      comment: 'Stop the remaining jobs, record the reason, notify the user',
      lambda: endRun,
      payload: { runId: '{% $runId %}', error: '{% $states.input.error %}' },
    });
    const failed = Fail.jsonata(this, 'Failed', {
      error: '{% $states.input.error %}',
      cause: '{% $states.input.cause %}',
    });
    end.addCatch(failed, {
      errors: [Errors.ALL],
      outputs: { error: textOr('Error', 'States.TaskFailed'), cause: textOr('Cause', '') },
    });
    end.next(failed);
    this.startState = end;
  }
}

/** An expression for a member of the caught error that must be a text, because Fail accepts nothing else. */
function textOr(member: 'Error' | 'Cause', otherwise: string): string {
  const value = `$states.input.error.${member}`;
  return `{% $type(${value}) = 'string' ? ${value} : '${otherwise}' %}`;
}
