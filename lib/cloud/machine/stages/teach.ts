/**
 * Tunes the teacher, a diffusion model, on the references: one training job, whose artifact is the teacher's adapter.
 *
 * Reads: `intermediates/<run>/references/`, the teacher's base weights. Input: ignored.
 * Output: `{jobName, seconds}`; the adapter is `runs/<run>/jobs/<jobName>/output/model.tar.gz`.
 * Errors: those of a job stage; its own are `TrainingDiverged`, `OutOfMemory`, `CheckpointUnusable`, `ModelMismatch`.
 */
import type { Construct } from 'constructs';
import type { JobStageDefaults } from '../job-stage.ts';
import { PlannedJobStage } from '../planned.ts';

export class TeachStage extends PlannedJobStage {
  constructor(scope: Construct, id: string, defaults: JobStageDefaults) {
    super(scope, id, { ...defaults, stage: 'teach', comment: 'Tune the teacher on the references' });
  }
}
