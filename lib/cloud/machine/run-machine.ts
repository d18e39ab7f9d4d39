/**
 * The state machine of a run, from request to report.
 *
 *     remember ─> [ plan ─> inspect ─> teach ─> synthesize ─> curate ─> learn ─> sample ─> evaluate ─> publish ] ─> done
 *                   │                        ^ next round │
 *                   │  ^                                                      │
 *                   │  └────────────────────── redriven ────────────────────── end the run: the execution fails here
 *                   └────────────────────── any error ──────────────────────────^
 *
 * The whole pipeline is the single branch of a Parallel state, which serves as a `try` block: one catcher covers
 * every present and future state.
 *
 * Input: `{runId, bucket, subject, key, version}`. Output: `{runId, report, usd}`. States pass only keys and small
 * values.
 * Errors: every name in `lib/core/contract/errors.json` that a stage can fail with.
 */

import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import {
  DefinitionBody,
  Errors,
  type IChainable,
  LogLevel,
  Parallel,
  Pass,
  QueryLanguage,
  StateMachine,
  StateMachineType,
  Succeed,
} from 'aws-cdk-lib/aws-stepfunctions';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { acknowledge, acknowledgeWildcards } from '../acknowledge.ts';
import { HandlerFunction } from '../handler-function.ts';
import { RUN_TIMEOUT } from '../limits.ts';
import type { MachineLambdas } from '../machine-lambdas.ts';
import { REDRIVES } from './execution.ts';
import { FailurePath } from './failure-path.ts';
import type { JobStageDefaults } from './job-stage.ts';
import { CurateStage } from './stages/curate.ts';
import { EvaluateStage } from './stages/evaluate.ts';
import { InspectStage } from './stages/inspect.ts';
import { LearnStage } from './stages/learn.ts';
import { PlanStage } from './stages/plan.ts';
import { PublishStage } from './stages/publish.ts';
import { SampleStage } from './stages/sample.ts';
import { SynthesizeStage } from './stages/synthesize.ts';
import { TeachStage } from './stages/teach.ts';

export interface RunMachineProps extends Pick<JobStageDefaults, 'heartbeat' | 'retryWait'> {
  readonly lambdas: MachineLambdas;
  readonly logGroup: ILogGroup;
}

export class RunMachine extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, props: RunMachineProps) {
    super(scope, id);
    this.machine = new StateMachine(this, 'Resource', {
      comment: 'One customization, from request to report',
      stateMachineType: StateMachineType.STANDARD,
      queryLanguage: QueryLanguage.JSONATA,
      definitionBody: DefinitionBody.fromChainable(this.#definition(props)),
      timeout: RUN_TIMEOUT,
      role: new Role(this, 'Role', {
        description: 'Proxytune: permissions of the state machine',
        assumedBy: new ServicePrincipal('states.amazonaws.com', {
          conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
        }),
      }),
      // The log outlives the ninety days of an execution's history; state data is left out of it.
      logs: { destination: props.logGroup, level: LogLevel.ALL, includeExecutionData: false },
    });
    this.#acknowledge(props.lambdas);
  }

  #acknowledge(lambdas: MachineLambdas): void {
    acknowledge(
      this,
      'SF2',
      'A run waits for hours on callbacks, which a trace does not follow, and its history has every state with its ' +
        'times. Tracing would only add a permission on `*`.',
    );
    acknowledgeWildcards(
      this,
      ['*'],
      'Step Functions delivers logs through CloudWatch’s vended-log calls, which have no resource types (AWS documents ' +
        'exactly these statements).',
    );
    const invoked = Object.values(lambdas).filter((value) => value instanceof HandlerFunction);
    acknowledgeWildcards(
      this,
      invoked.map(({ lambda }) => `${lambda.functionArn}:*`),
      'The `*` is a version of this lambda: executions invoke the versions of the deployment that they began with.',
    );
  }

  #definition(props: RunMachineProps): IChainable {
    const attempt = Parallel.jsonata(this, 'Run', {
      comment: 'The whole pipeline, covered by one catcher',
      outputs: '{% $states.result[0] %}',
    }).branch(this.#pipeline(props));
    const failure = new FailurePath(this, 'Failure', {
      endRun: props.lambdas.endRun,
      redriven: attempt,
    });
    attempt.addCatch(failure, {
      errors: [Errors.ALL],
      outputs: { error: '{% $states.errorOutput %}', redrives: REDRIVES },
    });
    return Pass.jsonata(this, 'Remember the run', { assign: { runId: '{% $states.input.runId %}' } })
      .next(attempt)
      .next(Succeed.jsonata(this, 'Done'));
  }

  #pipeline({ lambdas, heartbeat, retryWait }: RunMachineProps): IChainable {
    const jobs: JobStageDefaults = {
      startJob: lambdas.startJob,
      reconcileJob: lambdas.reconcileJob,
      heartbeat,
      retryWait,
    };
    const synthesize = new SynthesizeStage(this, 'SynthesizeStage', jobs);
    const decideRound = lambdas.decideRound;
    return new PlanStage(this, 'PlanStage', { lambda: lambdas.planRun })
      .next(new InspectStage(this, 'InspectStage', { lambda: lambdas.inspectPhotos }))
      .next(new TeachStage(this, 'TeachStage', jobs))
      .next(synthesize)
      .next(new CurateStage(this, 'CurateStage', { ...jobs, decideRound, synthesize }))
      .next(new LearnStage(this, 'LearnStage', jobs))
      .next(new SampleStage(this, 'SampleStage', jobs))
      .next(new EvaluateStage(this, 'EvaluateStage', jobs))
      .next(new PublishStage(this, 'PublishStage', { lambda: lambdas.publishRun }));
  }
}
