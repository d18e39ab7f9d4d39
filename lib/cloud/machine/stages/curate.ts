/**
 * Measures the proxies, if the plan has the stage: one training job that decides for each proxy if the student
 * should train on it. If their number is adaptive, another round is generated as long as more proxies add something.
 *
 *     planned? ── no ─ ───────────────────────────────────────────┐
 *        │ yes                                                    v
 *        └──> curate (a job) ──> decide-round ──> more? ── no ──> next
 *                                                    │ yes
 *     synthesize <── the next round ─────────────────┘
 *
 * Reads: proxies, references, the encoders. Input: ignored; the variables `$stages` and `$round` are used.
 * Output: ignored; the selection is `runs/<run>/curation/curation.json`.
 * Errors: those of a job stage; its own are `ProxiesTooFew`, `ProxiesIncomplete`, `ShardInvalid`.
 */
import {
  Choice,
  Condition,
  type IChainable,
  type INextable,
  Pass,
  type State,
  StateMachineFragment,
} from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../../handler-function.ts';
import { JobStage, type JobStageDefaults } from '../job-stage.ts';
import { lambdaTask } from '../lambda-task.ts';
import { isPlanned } from '../planned.ts';

export interface CurateStageProps extends JobStageDefaults {
  readonly decideRound: HandlerFunction;
  /** The first state of the next round. */
  readonly synthesize: IChainable;
}

export class CurateStage extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[];

  constructor(scope: Construct, id: string, { decideRound, synthesize, ...defaults }: CurateStageProps) {
    super(scope, id);
    const job = new JobStage(this, 'Job', {
      ...defaults,
      stage: 'curate',
      comment: 'Measure every proxy and select which to keep',
      inRounds: true,
    });
    const decide = lambdaTask(this, 'Curate: decide on the round', {
      comment: 'Are there enough proxies, or would more add something?',
      lambda: decideRound,
      payload: { runId: '{% $runId %}', round: '{% $round %}' },
    });
    const ready = Pass.jsonata(this, 'Proxies are ready');
    const again = Pass.jsonata(this, 'Curate: next round', { assign: { round: '{% $round + 1 %}' } });
    job
      .next(decide)
      .next(
        Choice.jsonata(this, 'Curate: more?')
          .when(Condition.jsonata('{% $states.input.more %}'), again.next(synthesize))
          .otherwise(ready),
      );
    this.startState = Choice.jsonata(this, 'Curate?').when(isPlanned('curate'), job).otherwise(ready);
    this.endStates = [ready];
  }
}
