/** `metrics.json` of the report: what the evaluation measured, and (added by publish) what the run took. */
import { z } from 'zod';

/** Means over pictures of cosine similarities, each in [-1, 1]. */
const score = z.strictObject({
  mean: z.number(),
  low: z.number().describe('Lower end of the 95 % bootstrap interval'),
  high: z.number().describe('Upper end of the 95 % bootstrap interval'),
});

/**
 * Whose pictures a row scores. `teacher-base` and `student-base` are the untuned models: the floor. `photos` is
 * every reference against the other references: the ceiling (it has no CLIP-T, as photos have no prompt).
 */
const rowName = z.enum(['photos', 'teacher-base', 'student-base', 'proxies', 'teacher', 'student']);

const metricsRow = z.strictObject({
  name: rowName,
  pictures: z.int().min(1),
  clip_i: score.describe('CLIP image similarity to the references: subject fidelity'),
  clip_t: score.nullable().describe('CLIP similarity of picture and prompt without the token word'),
  dino: score.describe('DINO ViT-S/16 CLS similarity to the references: subject fidelity'),
});

const pictureScore = z.strictObject({
  row: rowName,
  index: z.int().min(0),
  prompt: z.string().nullable(),
  seed: z.int().nullable(),
  file: z.string().describe('Relative to the report folder'),
  clip_i: z.number(),
  clip_t: z.number().nullable(),
  dino: z.number(),
});

export const stageOutcome = z.strictObject({
  stage: z.string(),
  attempts: z.int().min(0),
  instance: z.string().nullable(),
  seconds: z.number().min(0).describe('Billable seconds of all attempts; wall seconds for a lambda'),
  usd: z.number().min(0).describe('Billable seconds at the list price of the instance'),
});
export type StageOutcome = z.infer<typeof stageOutcome>;

export const metrics = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  subject: z.string(),
  category: z.string(),
  rows: z.array(metricsRow).min(1),
  pictures: z.array(pictureScore),
  verdict: z.string().describe('One sentence: teacher, student, floor, ceiling'),
  evaluator: z.strictObject({
    clip: z.string(),
    dino: z.string(),
    clip_sha256: z.string(),
    dino_sha256: z.string(),
    versions: z.record(z.string(), z.string()),
  }),
  stages: z.array(stageOutcome).describe('Empty until publish adds them'),
});
export type Metrics = z.infer<typeof metrics>;
