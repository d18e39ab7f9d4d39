/** `metrics.json` of the report: what the evaluation measured, and (added by publish) what the run took. */
import { z } from 'zod';
import { choice } from './choice.ts';
import { count, pictureSeed, usd } from './fields.ts';

/** A mean over pictures; of cosine similarities in [-1, 1]. */
const score = z
  .strictObject({
    mean: z.number(),
    low: z
      .number()
      .nullable()
      .describe('Lower end of the 95 % bootstrap interval over prompts and images; null for one image'),
    high: z.number().nullable().describe('Upper end of it'),
  })
  .meta({ title: 'Score' });

/**
 * Whose pictures a row scores. `teacher-base` and `student-base` are the untuned models: the floor. `photos` is
 * every reference against the other references: the ceiling (it has no CLIP-T, as photos have no prompt).
 */
const rowName = z
  .enum(['photos', 'teacher-base', 'student-base', 'proxies', 'teacher', 'student'])
  .meta({ title: 'RowName' });

/** A picture compared with the ground truth of the request (subject.json, `truth`), read back without an encoder. */
const exactPicture = z.strictObject({
  palette: z
    .number()
    .min(0)
    .describe('Mean CIEDE2000 of body, mark and trim to the true colours; less is better'),
  shape: z
    .number()
    .min(0)
    .max(1)
    .describe('Overlap of the outline with the true one: shared area over joint'),
  pattern: z.boolean().describe('The true pattern was found'),
  category: z.boolean().describe('The category was found'),
  context: z.boolean().nullable().describe('The context of the prompt was found; null where it names none'),
});

/** The same over the pictures of a row: means, and shares of pictures that are right. */
const exactRow = z.strictObject({
  palette: score,
  shape: score,
  pattern: score,
  category: score,
  context: score.nullable().describe('Over the pictures whose prompt names a context; null without any'),
});

const metricsRow = z.strictObject({
  name: rowName,
  pictures: count,
  clip_i: score.describe('CLIP image similarity to the references: subject fidelity'),
  clip_t: score.nullable().describe('CLIP similarity of picture and prompt without the token word'),
  dino: score.describe('DINO ViT-S/16 CLS similarity to the references: subject fidelity'),
  masc_identity: score
    .nullable()
    .optional()
    .describe('MaSC of the subject’s region; absent where it is not measured, null without a subject'),
  masc_quartile: z.number().optional().describe('Lower quartile of MaSC identity over the images'),
  masc_median: z.number().optional().describe('Median of it'),
  masc_prompt: score
    .nullable()
    .optional()
    .describe('MaSC of the rest and the prompt; null where no image has a rest, or no prompt'),
  dreamsim: score
    .optional()
    .describe('DreamSim similarity to the references; absent where it is not measured'),
  nearest_dino: score.describe('DINO similarity to the nearest reference alone'),
  copies: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .describe(
      'Share of images nearer to a reference than any two references are to each other; null with one',
    ),
  attractor: z
    .strictObject({ reference: z.int().min(0), share: z.number().min(0).max(1) })
    .describe('The reference that is the nearest of most images, and their share'),
  diversity: score
    .nullable()
    .describe(
      '1 minus DINO similarity to the other images of the prompt; null where each prompt has one image',
    ),
  exact: exactRow.optional().describe('Only where the request tells the truth about its subject'),
});

const pictureScore = z.strictObject({
  row: rowName,
  index: z.int().min(0),
  prompt: z.string().nullable(),
  seed: pictureSeed.nullable(),
  file: z.string().describe('Relative to the report folder'),
  clip_i: z.number(),
  clip_t: z.number().nullable(),
  dino: z.number(),
  masc_identity: z.number().nullable().optional(),
  masc_prompt: z.number().nullable().optional(),
  dreamsim: z.number().optional(),
  nearest: z.int().min(0).describe('Position of the nearest reference by DINO'),
  nearest_dino: z.number(),
  diversity: z.number().nullable(),
  exact: exactPicture.optional(),
});

/** Student minus teacher, over the same prompts and seeds. */
const difference = z
  .strictObject({
    mean: z.number(),
    low: z.number().describe('Lower end of the 95 % bootstrap interval'),
    high: z.number().describe('Upper end of it'),
    p: z.number().min(0).max(1).describe('Of a two-sided sign-flip test; at least 2 / 2 ** pairs'),
    pairs: z.int().min(2).describe('Prompts, or images where there is one prompt'),
  })
  .meta({ title: 'Difference' });

const comparison = z.strictObject({
  clip_i: difference.nullable().describe('null where each model has one image'),
  clip_t: difference.nullable(),
  dino: difference.nullable(),
  masc_identity: difference.nullable().optional(),
  masc_prompt: difference.nullable().optional(),
  dreamsim: difference.nullable().optional(),
});

export const stageOutcome = z.strictObject({
  stage: z.string(),
  attempts: z.int().min(0),
  instance: z.string().nullable(),
  seconds: z.number().min(0).describe('Billable seconds of all attempts; wall seconds for a lambda'),
  usd: usd.describe('Billable seconds at the list price of the instance'),
});
export type StageOutcome = z.infer<typeof stageOutcome>;

export const metrics = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  subject: z.string(),
  category: z.string(),
  rows: z.array(metricsRow).min(1),
  pictures: z.array(pictureScore),
  curation: z
    .strictObject({
      drawn: z.int().min(1),
      kept: z.int().min(0),
      dropped: z.record(z.string(), z.int().min(0)).describe('Proxies a reason'),
      rounds: z.int().min(1).describe('In which they were drawn'),
      satisfied: z.boolean().nullable().describe('Whether more would add nothing; null where nobody asked'),
    })
    .optional()
    .describe('Only where the run asks for a curation or an adaptive count'),
  comparison: comparison.describe('Student minus teacher, image by image'),
  verdict: z
    .string()
    .describe(
      'Whether the subject was learnt, with the scores that show it, and the better of teacher and student',
    ),
  evaluator: z.strictObject({
    clip: z.string(),
    dino: z.string(),
    clip_sha256: z.string(),
    dino_sha256: z.string(),
    siglip: z.string().optional(),
    siglip_sha256: z.string().optional(),
    segmenter: z.string().optional().describe('Found the subject for MaSC'),
    segmenter_sha256: z.string().optional(),
    dreamsim: z.string().optional(),
    dreamsim_sha256: z.string().optional(),
    versions: z.record(z.string(), z.string()),
  }),
  choice: choice
    .optional()
    .describe('How the teacher developed; absent where its recipe asks for no samples along the way'),
  stages: z.array(stageOutcome).describe('Empty until publish adds them'),
});
export type Metrics = z.infer<typeof metrics>;
