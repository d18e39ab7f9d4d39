/**
 * Draws the evaluation pictures with teacher and student at the same time: two batch transforms, each with the tuned
 * model and, for comparison, with the untuned one.
 *
 * Reads: `runs/<run>/chunks/sample-…/`, both adapters, both base weights. Enters: nothing that is read.
 * Leaves: `{teacher: {jobName, seconds}, student: {jobName, seconds}}`; the shards are below
 * `runs/<run>/pictures/sample-teacher/` and `…/sample-student/`.
 * Errors: those of a job stage. The error of either ends both; the other's job is stopped by the failure path.
 */
import { type INextable, Parallel, type State, StateMachineFragment } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { JobStage, type JobStageDefaults } from '../job-stage.ts';

export class SampleStage extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[];

  constructor(scope: Construct, id: string, defaults: JobStageDefaults) {
    super(scope, id);
    const teacher = new JobStage(this, 'Teacher', {
      ...defaults,
      stage: 'sample-teacher',
      comment: 'Draw the evaluation pictures with the teacher',
    });
    const student = new JobStage(this, 'Student', {
      ...defaults,
      stage: 'sample-student',
      comment: 'Draw the evaluation pictures with the student',
    });
    const both = Parallel.jsonata(this, 'Sample', {
      comment: 'Draw with both models for the same prompts and seeds',
      outputs: { teacher: '{% $states.result[0] %}', student: '{% $states.result[1] %}' },
    }).branch(teacher, student);
    this.startState = both;
    this.endStates = [both];
  }
}
