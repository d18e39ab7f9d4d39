/** Thresholds of curation, a row a CLIP: they mean something only for the encoders (it and its DINO) that measure. */
import { z } from 'zod';
import data from './data/curation.json' with { type: 'json' };

const number = z.strictObject({ value: z.number(), source: z.string().min(1) });
const texts = z.array(z.string().min(1)).min(1).nullable();
const row = z.strictObject({
  fidelity: number
    .nullable()
    .describe('null, here and below: these encoders cannot measure it, so it is not checked'),
  prompt: number.nullable(),
  duplicates: number.nullable(),
  safety: number.nullable().describe('null when this CLIP knows no words for what is unsafe'),
  likeness: number,
  unsafe: texts,
  safe: texts,
});
const rows: ReadonlyMap<string, z.infer<typeof row>> = new Map(
  Object.entries(data).map(([clip, entry]) => [clip, row.parse(entry)]),
);

/** The default thresholds where this CLIP measures, with their sources. */
export function curationBy(clip: string): z.infer<typeof row> {
  const found = rows.get(clip);
  // A test holds the catalogue against the rows.
  if (found === undefined) throw new Error(`there are no thresholds of curation for ${clip}`);
  return found;
}
