/**
 * Generates the evaluation images with teacher, if there is one, and student at the same time: two batch transforms, each with the
 * tuned model and, for comparison, with the base model.
 *
 * Reads: `intermediates/<run>/chunks/sample-…/`, both adapters, both base weights. Input: ignored.
 * Output: `{teacher: {jobName, seconds}, student: {jobName, seconds}}`, of the teacher's the input where it is skipped; the shards are below
 * `runs/<run>/pictures/sample-teacher/` and `…/sample-student/`.
 * Errors: those of a job stage. An error of either ends both; the failure path stops the other job.
 */
import { type INextable, Parallel, type State, StateMachineFragment } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { JobStage, type JobStageDefaults } from '../job-stage.ts';
import { PlannedJobStage } from '../planned.ts';

export class SampleStage extends StateMachineFragment {
  readonly startState: State;
  readonly endStates: INextable[];

  constructor(scope: Construct, id: string, defaults: JobStageDefaults) {
    super(scope, id);
    const teacher = new PlannedJobStage(this, 'Teacher', {
      ...defaults,
      stage: 'sample-teacher',
      comment: 'Generate the evaluation images with the teacher',
    });
    const student = new JobStage(this, 'Student', {
      ...defaults,
      stage: 'sample-student',
      comment: 'Generate the evaluation images with the student',
    });
    const both = Parallel.jsonata(this, 'Sample', {
      comment: 'Generate images with both models from the same prompts and seeds',
      outputs: { teacher: '{% $states.result[0] %}', student: '{% $states.result[1] %}' },
    }).branch(teacher, student);
    this.startState = both;
    this.endStates = [both];
  }
}
