/**
 * What every failed run goes through: what still runs is stopped, the reason is recorded, the user is told.
 *
 * Enters: `{error: {Error, Cause}}`, as a catcher leaves it.
 * Ends the execution as FAILED with the error's name and its message in the user's terms. When even end-run fails, the
 * execution still ends with the first error, and its end calls end-run again (`RunBroken` in `events.ts`).
 */
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  Errors,
  Fail,
  type INextable,
  type State,
  StateMachineFragment,
} from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { lambdaTask } from './lambda-task.ts';

export class FailurePath extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[] = [];

  constructor(scope: Construct, id: string, { endRun }: { readonly endRun: IFunction }) {
    super(scope, id);
    const end = lambdaTask(this, 'End the run', {
      comment: 'Stop what still runs, record why, tell the user',
      lambda: endRun,
      payload: { runId: '{% $runId %}', error: '{% $states.input.error %}' },
    });
    const failed = Fail.jsonata(this, 'Failed', {
      error: '{% $states.input.error %}',
      cause: '{% $states.input.cause %}',
    });
    end.addCatch(failed, {
      errors: [Errors.ALL],
      outputs: { error: '{% $states.input.error.Error %}', cause: '{% $states.input.error.Cause %}' },
    });
    end.next(failed);
    this.startState = end;
  }
}
