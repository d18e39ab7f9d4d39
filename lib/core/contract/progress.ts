/**
 * `progress.json` in the checkpoint folder. SageMaker mirrors that folder to the bucket while the job runs, so
 * that a run can be watched although its container has no network.
 */
import { z } from 'zod';
import { TRAINING_STAGES } from '../words.ts';

export const progress = z.strictObject({
  stage: z.enum([...TRAINING_STAGES, 'import-model']).meta({ title: 'TrainingStage' }),
  job: z.string(),
  phase: z.string().describe('What the job does now, in a few words'),
  step: z.int().min(0),
  total: z.int().min(0),
  loss: z.number().nullable().describe('Mean of the last steps; null where there is none'),
  rate: z.number().nullable().describe('Steps per second'),
  eta_seconds: z.number().nullable(),
  peak_memory_mib: z.number().nullable().describe('Of the GPU when there is one, else of the process'),
  resumed_from: z.int().nullable().describe('Step of the checkpoint this attempt began with'),
  updated_at: z.string().describe('UTC, ISO 8601'),
});
export type Progress = z.infer<typeof progress>;
