/**
 * Tunes the student, an autoregressive model, on the proxies: one training job, whose artifact is its adapter.
 *
 * Reads: `intermediates/<run>/pictures/synthesize/`, the student's base weights. Input: ignored.
 * Output: `{jobName, seconds}`; the adapter is `runs/<run>/jobs/<jobName>/output/model.tar.gz`.
 * Errors: those of a job stage; its own are `ProxiesIncomplete`, `ShardInvalid`, `TrainingDiverged`.
 */
import type { Construct } from 'constructs';
import { JobStage, type JobStageDefaults } from '../job-stage.ts';

export class LearnStage extends JobStage {
  constructor(scope: Construct, id: string, defaults: JobStageDefaults) {
    super(scope, id, { ...defaults, stage: 'learn', comment: 'Tune the student on the proxies' });
  }
}
