/**
 * Generates the proxies with the tuned teacher: one batch transform over the chunks of the plan, or of one round.
 *
 * Reads: `intermediates/<run>/chunks/synthesize/`, the teacher's adapter and base weights. Input: ignored.
 * Output: `{jobName, seconds}`; the shards are below `intermediates/<run>/pictures/synthesize/`, one folder per attempt.
 * Errors: those of a job stage; its own is `ChunksMissing`, which is retried for the missing chunks only.
 */
import type { Construct } from 'constructs';
import type { JobStageDefaults } from '../job-stage.ts';
import { PlannedJobStage } from '../planned.ts';

export class SynthesizeStage extends PlannedJobStage {
  constructor(scope: Construct, id: string, defaults: JobStageDefaults) {
    super(scope, id, {
      ...defaults,
      stage: 'synthesize',
      comment: 'Generate the proxies with the teacher',
      inRounds: true,
    });
  }
}
