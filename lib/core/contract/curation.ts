/**
 * `curation.json`: which proxies the student learns from, and why the others were dropped. The stage curate writes it,
 * learn takes only the pictures that it keeps, and the report shows the rest with their reasons.
 */
import { z } from 'zod';
import { leastKept, probability, share } from './fields.ts';

/** Why a proxy may be dropped. */
export const CRITERIA = ['fidelity', 'prompt', 'duplicates', 'safety'] as const;
export type Criterion = (typeof CRITERIA)[number];

/** When a run's proxies are dropped, and when no more of them are drawn; part of the plan. */
export const curationPlan = z
  .strictObject({
    fidelity: share
      .nullable()
      .describe('Least share of the photos’ likeness among themselves; null: not asked'),
    prompt: share.nullable().describe('Least share of the photos’ likeness to the category; null: not asked'),
    duplicates: share
      .nullable()
      .describe('Least distance to a kept proxy, as share of the photos’ distance; null: not asked'),
    safety: z
      .strictObject({
        probability: probability.describe('From which CLIP’s probability on is too much'),
        unsafe: z.array(z.string()).min(1).describe('Texts of what no proxy should show'),
        safe: z.array(z.string()).min(1).describe('Alternative texts, in addition to the proxy’s own prompt'),
      })
      .nullable()
      .describe('null: not asked, or the domain’s CLIP knows no words for it'),
    likeness: share.describe('DINO likeness of photos of one subject, where a single photo cannot tell'),
    minimum: leastKept.describe('Fewer kept proxies end the run'),
    adaptive: z
      .strictObject({
        reach: share.describe('A proxy nearer to an earlier one than this share of the usual is nothing new'),
        newShare: share.describe('Below this share of new pictures, more of them add nothing'),
        drift: share.describe('Most that their mean and their spread may still change'),
      })
      .nullable()
      .describe('null: all proxies are drawn'),
    rounds: z.array(z.int().min(1)).min(1).describe('Proxies that are there at the end of each round'),
  })
  .meta({ title: 'CurationPlan' });
export type CurationPlan = z.infer<typeof curationPlan>;

const limit = z.number().nullable().describe('null: this criterion was not asked for');

const verdict = z.strictObject({
  index: z.int().min(0),
  sha256: z.string().describe('Of the PNG file'),
  kept: z.boolean(),
  fidelity: z.number().describe('Mean DINO cosine to the photos'),
  prompt: z.number().describe('CLIP cosine to its prompt without the token word'),
  nearest: z
    .strictObject({ index: z.int().min(0), distance: z.number() })
    .nullable()
    .describe('The earlier kept proxy that is most like it, and 1 - DINO cosine to it; null for the first'),
  unsafe: z
    .strictObject({ concept: z.string(), probability: z.number() })
    .nullable()
    .describe('CLIP’s probability of all unsafe texts together, and the likeliest; null: not asked'),
  reasons: z
    .array(
      z.strictObject({
        criterion: z.enum(CRITERIA).meta({ title: 'Criterion' }),
        why: z.string().describe('In a few words, with the score and the limit'),
      }),
    )
    .describe('Empty for a kept picture'),
});

const round = z.strictObject({
  round: z.int().min(1),
  drawn: z.int().min(1).describe('Pictures at its end, of all rounds'),
  kept: z.int().min(0).describe('Of these'),
  new_share: share.describe('Of this round’s usable pictures, those that show something no earlier one does'),
  mean_shift: z.number().min(0).describe('Shift of the mean of the kept proxies, as a share of their spread'),
  spread: z.number().min(0).describe('Mean DINO distance of the kept to their mean'),
  spread_change: z.number().min(0).describe('Change of the spread, as a share of it'),
});

export const curation = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  round: z.int().min(1),
  rounds: z.int().min(1).describe('The most there may be'),
  drawn: z.int().min(1),
  kept: z.int().min(0),
  dropped: z
    .strictObject({
      fidelity: z.int().min(0),
      prompt: z.int().min(0),
      duplicates: z.int().min(0),
      safety: z.int().min(0),
    })
    .describe('Pictures a reason; one with two reasons counts in both'),
  limits: z
    .strictObject({ fidelity: limit, prompt: limit, duplicates: limit, safety: limit })
    .describe('As they came out for these photos'),
  pictures: z.array(verdict).min(1),
  masked: z
    .int()
    .min(0)
    .optional()
    .describe('Proxies in which the segmenter found the subject; missing where the run masks none'),
  adaptive: z
    .strictObject({
      reach: z.number().describe('DINO distance within which a picture is nothing new'),
      rounds: z.array(round).min(1),
      satisfied: z.boolean().describe('Whether more proxies would add nothing'),
    })
    .nullable()
    .describe('null: all proxies were drawn whatever they add'),
  evaluator: z.strictObject({ clip_sha256: z.string(), dino_sha256: z.string() }),
});
export type Curation = z.infer<typeof curation>;
