/** Thresholds of curation, a row a world, as they depend on the encoders that measure there. */
import { z } from 'zod';
import data from './data/curation.json' with { type: 'json' };
import { WORLDS, type World } from './worlds.ts';

const number = z.strictObject({ value: z.number(), source: z.string().min(1) });
const texts = z.array(z.string().min(1)).min(1).nullable();
const row = z.strictObject({
  fidelity: number,
  prompt: number,
  duplicates: number,
  safety: number.nullable().describe('null when the world’s CLIP knows no words for what is unsafe'),
  likeness: number,
  unsafe: texts,
  safe: texts,
});
const rows: ReadonlyMap<World, z.infer<typeof row>> = new Map(
  WORLDS.map((name) => [name, row.parse(data[name])]),
);

/** The default thresholds of a world, with their sources. */
export function curationOf(world: World): z.infer<typeof row> {
  // Every name of the type is a key of the data.
  return rows.get(world) as z.infer<typeof row>;
}
