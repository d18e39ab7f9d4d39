/**
 * A stage that is a SageMaker job.
 *
 *     start-job (waits for the token) ──────────────────────────────────> next
 *        │  ^ ^ silent too long, or over already                            ^
 *        v  │ └── still running, or failed in a way worth another try       │
 *     reconcile-job ──> over? ── yes: its outcome, told by nobody ──────────┘
 *
 * Enters: anything; the run is known by the variable `$runId`, the round (where there are several) by `$round`.
 * Leaves: `{jobName, seconds}`.
 * Errors: the job's own by its name (`OutOfMemory`, `TrainingDiverged`, …), `QuotaZero`, `JobRefused`, `JobFailed`,
 * `JobStopped`, `StageTimedOut`, `States.Timeout`; the retryable ones once the tries are used up. They all leave this
 * fragment uncaught: the machine has one place that deals with them.
 */

import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import {
  Choice,
  Condition,
  Errors,
  type INextable,
  IntegrationPattern,
  Pass,
  type State,
  StateMachineFragment,
  TaskInput,
  Timeout,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { retryableNames } from '../../core/errors.ts';
import { JOB_OVER } from '../../core/jobs/outcome.ts';
import type { JobStage as JobStageName } from '../../core/words.ts';
import { STAGE_TIMEOUT } from '../limits.ts';
import { lambdaTask } from './lambda-task.ts';
import { jobRetries, lambdaRetries } from './retries.ts';
import { titleOf } from './title.ts';

/** What all job stages of a machine share. */
export interface JobStageDefaults {
  readonly startJob: IFunction;
  readonly reconcileJob: IFunction;
  /** How long a job may be silent before it is looked up. */
  readonly heartbeat: Duration;
  /** The first wait before another try when quota or capacity was lacking. */
  readonly retryWait: Duration;
}

export interface JobStageProps extends JobStageDefaults {
  readonly stage: JobStageName;
  readonly comment: string;
  /** Whether the road may come by several times, in the rounds that `$round` counts. @default - false */
  readonly inRounds?: boolean;
}

export class JobStage extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[];

  constructor(scope: Construct, id: string, props: JobStageProps) {
    super(scope, id);
    const { stage, comment, startJob, reconcileJob, heartbeat, retryWait, inRounds = false } = props;
    const asked = { runId: '{% $runId %}', stage, ...(inRounds ? { round: '{% $round %}' } : {}) };
    const title = titleOf(stage);
    refuseLongHeartbeat(heartbeat);
    const start = LambdaInvoke.jsonata(this, title, {
      comment,
      lambdaFunction: startJob,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      payload: TaskInput.fromObject({ ...asked, taskToken: '{% $states.context.Task.Token %}' }),
      heartbeatTimeout: Timeout.duration(heartbeat),
      taskTimeout: Timeout.duration(STAGE_TIMEOUT),
      retryOnServiceExceptions: false,
    });
    for (const retry of [...lambdaRetries(), ...jobRetries(retryWait)]) start.addRetry(retry);
    const look = lambdaTask(this, `${title}: look it up`, {
      comment: 'Nothing was heard of the job for a while',
      lambda: reconcileJob,
      payload: asked,
    });
    const unheard = Pass.jsonata(this, `${title}: over unheard`, { outputs: '{% $states.input.output %}' });
    start.addCatch(look, { errors: [Errors.HEARTBEAT_TIMEOUT, JOB_OVER] });
    // start-job knows from the table that the last attempt failed, and makes the next one.
    look.addCatch(start, { errors: retryableNames() });
    // Going back to start-job hands the running job this state's new token.
    look.next(
      Choice.jsonata(this, `${title}: over?`)
        .when(Condition.jsonata('{% $states.input.over %}'), unheard)
        .otherwise(start),
    );
    this.startState = start;
    this.endStates = [start, unheard];
  }
}

function refuseLongHeartbeat(heartbeat: Duration): void {
  if (heartbeat.toSeconds() < STAGE_TIMEOUT.toSeconds()) return;
  throw new Error(
    `a heartbeat must be shorter than the stage's timeout, or it never comes to be missed: got ${heartbeat.toSeconds()} s, ` +
      `allowed is less than ${STAGE_TIMEOUT.toSeconds()} s`,
  );
}
