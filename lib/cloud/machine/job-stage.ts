/**
 * A stage that is a SageMaker job.
 *
 *     start-job (waits for the token) ──────────────────────────────────> next
 *        │  ^                                                               ^
 *        │  └── still running, or failed with a retryable error;            │
 *        │      after a wait, when only waiting helps against it            │
 *        v silent too long, or already over                                 │
 *     reconcile-job ──> over? ── yes: its outcome, from the lookup ─────────┘
 *
 * Input: ignored; the variables `$runId` and, in a stage with several rounds, `$round` identify the job.
 * Output: `{jobName, seconds}`.
 * Errors: the job's own by its name (`OutOfMemory`, `TrainingDiverged`, …), `QuotaTooLow`, `JobRefused`, `JobFailed`,
 * `JobStopped`, `StageTimedOut`, `States.Timeout`; the retryable ones after the last retry. None is caught in this
 * fragment: the machine catches them all in one place.
 */

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
  Wait,
  WaitTime,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { retryableNames } from '../../core/errors.ts';
import { JOB_OVER } from '../../core/jobs/outcome.ts';
import type { JobStage as JobStageName } from '../../core/words.ts';
import type { HandlerFunction } from '../handler-function.ts';
import { STAGE_TIMEOUT } from '../limits.ts';
import { EXECUTION_IDENTITY } from './execution.ts';
import { lambdaTask } from './lambda-task.ts';
import { jobRetries, lambdaRetries, RETRIED_AFTER_WAIT } from './retries.ts';
import { titleOf } from './title.ts';

/** Properties that all job stages of a machine share. */
export interface JobStageDefaults {
  readonly startJob: HandlerFunction;
  readonly reconcileJob: HandlerFunction;
  /** The time without a heartbeat after which a job's state is looked up. */
  readonly heartbeat: Duration;
  /** The first wait before a retry when quota or capacity is lacking. */
  readonly retryWait: Duration;
}

export interface JobStageProps extends JobStageDefaults {
  readonly stage: JobStageName;
  readonly comment: string;
  /** The stage may run several times, in rounds counted by `$round`. @default - false */
  readonly inRounds?: boolean;
}

export class JobStage extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[];

  constructor(scope: Construct, id: string, props: JobStageProps) {
    super(scope, id);
    const { stage, comment, startJob, reconcileJob, heartbeat, retryWait, inRounds = false } = props;
    const request = { runId: '{% $runId %}', stage, ...(inRounds ? { round: '{% $round %}' } : {}) };
    const title = titleOf(stage);
    requireShortHeartbeat(heartbeat);
    const start = LambdaInvoke.jsonata(this, title, {
      comment,
      lambdaFunction: startJob.publishedVersion,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      payload: TaskInput.fromObject({
        ...request,
        taskToken: '{% $states.context.Task.Token %}',
        execution: EXECUTION_IDENTITY,
      }),
      heartbeatTimeout: Timeout.duration(heartbeat),
      taskTimeout: Timeout.duration(STAGE_TIMEOUT),
      retryOnServiceExceptions: false,
    });
    for (const retry of [...lambdaRetries(), ...jobRetries(retryWait)]) start.addRetry(retry);
    const reconcile = lambdaTask(this, `${title}: look up the job`, {
      comment: 'The job has sent no heartbeat for a while',
      lambda: reconcileJob,
      payload: request,
    });
    const missedEnd = Pass.jsonata(this, `${title}: job is over`, { outputs: '{% $states.input.output %}' });
    start.addCatch(reconcile, { errors: [Errors.HEARTBEAT_TIMEOUT, JOB_OVER] });
    // start-job reads from the table that the last attempt failed, and creates the next one.
    const immediate = retryableNames().filter((name) => !RETRIED_AFTER_WAIT.includes(name));
    reconcile.addCatch(start, { errors: immediate });
    // The retries of start-job, which wait before such an error is tried again, know nothing of this one.
    const wait = Wait.jsonata(this, `${title}: wait`, {
      comment: 'Only waiting helps against the error that the job ended with',
      time: WaitTime.duration(retryWait),
    });
    reconcile.addCatch(wait, { errors: [...RETRIED_AFTER_WAIT] });
    wait.next(start);
    // Back in start-job, the running job gets this state's new task token.
    reconcile.next(
      Choice.jsonata(this, `${title}: over?`)
        .when(Condition.jsonata('{% $states.input.over %}'), missedEnd)
        .otherwise(start),
    );
    this.startState = start;
    this.endStates = [start, missedEnd];
  }
}

function requireShortHeartbeat(heartbeat: Duration): void {
  if (heartbeat.toSeconds() < STAGE_TIMEOUT.toSeconds()) return;
  throw new Error(
    `the heartbeat must be shorter than the stage's timeout: got ${heartbeat.toSeconds()} s, ` +
      `allowed is less than ${STAGE_TIMEOUT.toSeconds()} s`,
  );
}
