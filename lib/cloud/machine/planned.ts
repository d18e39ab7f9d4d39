/**
 * A stage that only some runs have: without it the machine goes on with the next one.
 *
 *     planned? ── yes ──> the stage ──> next
 *        └── no ──────────────────────> next
 *
 * The variable `$stages` holds the names of the plan's stages. So a method without some of them needs no branch of its
 * own.
 */
import {
  Choice,
  Condition,
  type INextable,
  Pass,
  type State,
  StateMachineFragment,
} from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { JobStage as JobStageName } from '../../core/words.ts';
import { JobStage, type JobStageProps } from './job-stage.ts';
import { titleOf } from './title.ts';

/** The condition that the run has a stage. */
export const isPlanned = (stage: JobStageName): Condition => Condition.jsonata(`{% '${stage}' in $stages %}`);

/** A job stage that is skipped where the plan does not have it. */
export class PlannedJobStage extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[];

  constructor(scope: Construct, id: string, props: JobStageProps) {
    super(scope, id);
    const { stage } = props;
    const job = new JobStage(this, 'Job', props);
    const skipped = Pass.jsonata(this, `${titleOf(stage)}: not planned`);
    this.startState = Choice.jsonata(this, `${titleOf(stage)}?`)
      .when(isPlanned(stage), job)
      .otherwise(skipped);
    this.endStates = [...job.endStates, skipped];
  }
}
