/**
 * Measures the proxies, where the request asks for it: one training job, which says of each whether the student should
 * learn from it. Where their count is adaptive, the next round of them is drawn while they add something.
 *
 *     asked for? ── no ───────────────────────────────────────────┐
 *        │ yes                                                    v
 *        └──> curate (a job) ──> decide-round ──> more? ── no ──> next
 *                                                    │ yes
 *     synthesize <── the next round ─────────────────┘
 *
 * Reads: proxies, references, the encoders. Enters: nothing that is read; `$curated` and `$round` say what to do.
 * Leaves: nothing that is read; what is kept stands in `runs/<run>/curation/curation.json`.
 * Errors: those of a job stage; of its own `ProxiesTooFew`, `ProxiesIncomplete`, `ShardInvalid`.
 */
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
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
import { JobStage, type JobStageDefaults } from '../job-stage.ts';
import { lambdaTask } from '../lambda-task.ts';

export interface CurateStageProps extends JobStageDefaults {
  readonly decideRound: IFunction;
  /** Where the next round begins. */
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
      comment: 'Measure every proxy and say which to keep',
      inRounds: true,
    });
    const weigh = lambdaTask(this, 'Curate: weigh the proxies', {
      comment: 'Are there enough, or would more add something?',
      lambda: decideRound,
      payload: { runId: '{% $runId %}', round: '{% $round %}' },
    });
    const ready = Pass.jsonata(this, 'Proxies are ready');
    const again = Pass.jsonata(this, 'Curate: next round', { assign: { round: '{% $round + 1 %}' } });
    job
      .next(weigh)
      .next(
        Choice.jsonata(this, 'Curate: more?')
          .when(Condition.jsonata('{% $states.input.more %}'), again.next(synthesize))
          .otherwise(ready),
      );
    this.startState = Choice.jsonata(this, 'Curate?')
      .when(Condition.jsonata('{% $curated %}'), job)
      .otherwise(ready);
    this.endStates = [ready];
  }
}
