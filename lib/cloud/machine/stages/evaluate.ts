/**
 * Measures both models against the references and writes the report: one training job, its artifact uncompressed.
 *
 * Reads: references, proxies, both sets of samples, the encoders. Input: ignored.
 * Output: `{jobName, seconds}`; the report's parts are `runs/<run>/jobs/<jobName>/output/model/`.
 * Errors: those of a job stage; its own are `ShardInvalid`, `ChannelMissing`.
 */
import type { Construct } from 'constructs';
import { JobStage, type JobStageDefaults } from '../job-stage.ts';

export class EvaluateStage extends JobStage {
  constructor(scope: Construct, id: string, defaults: JobStageDefaults) {
    super(scope, id, { ...defaults, stage: 'evaluate', comment: 'Measure teacher and student' });
  }
}
