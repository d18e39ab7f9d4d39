/** A stage that is a single lambda call. */
import { type INextable, type State, StateMachineFragment } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { Stage } from '../../core/words.ts';
import type { HandlerFunction } from '../handler-function.ts';
import { lambdaTask } from './lambda-task.ts';
import { titleOf } from './title.ts';

export interface LambdaStageProps {
  readonly stage: Stage;
  readonly lambda: HandlerFunction;
  readonly comment: string;
  readonly payload: Record<string, unknown> | string;
  /** Variables that the state assigns. @default - none */
  readonly assign?: Record<string, unknown>;
}

export class LambdaStage extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[];

  constructor(scope: Construct, id: string, { stage, ...task }: LambdaStageProps) {
    super(scope, id);
    const invoke = lambdaTask(this, titleOf(stage), task);
    this.startState = invoke;
    this.endStates = [invoke];
  }
}
