/**
 * Draws the proxies with the tuned teacher: one batch transform over the chunks that the plan wrote, or over those of
 * one round of them.
 *
 * Reads: `runs/<run>/chunks/synthesize/`, the teacher's adapter and base weights. Enters: nothing that is read.
 * Leaves: `{jobName, seconds}`; the shards are below `runs/<run>/pictures/synthesize/`, one folder an attempt.
 * Errors: those of a job stage; of its own `ChunksMissing`, which is tried again for the missing chunks only.
 */
import type { Construct } from 'constructs';
import { JobStage, type JobStageDefaults } from '../job-stage.ts';

export class SynthesizeStage extends JobStage {
  constructor(scope: Construct, id: string, defaults: JobStageDefaults) {
    super(scope, id, {
      ...defaults,
      stage: 'synthesize',
      comment: 'Draw the proxies with the teacher',
      inRounds: true,
    });
  }
}
