/** The methods of tuning a student: a row of data each. Code never asks which method it has, only what its row says. */
import { z } from 'zod';
import { trainsOn, tuning } from '../stages/tuning.ts';
import data from './data/methods.json' with { type: 'json' };

const row = z.strictObject({
  title: z.string().min(1),
  teacher: z.boolean().describe('Whether a teacher is trained, which generates the proxies'),
  trainsOn,
  tuning,
  rateOfLora: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe('The learning rate, relative to the recipe’s, which is for LoRA'),
  source: z.string().min(1).describe('Where the method comes from'),
});
const rows: ReadonlyMap<string, z.infer<typeof row>> = new Map(
  Object.entries(data).map(([id, entry]) => [id, row.parse(entry)]),
);

export const METHODS = Object.keys(data) as [keyof typeof data, ...(keyof typeof data)[]];
export type MethodId = keyof typeof data;
export type Method = z.infer<typeof row> & { readonly id: MethodId };

/** The row of a method, whose name a request's schema has checked. */
export function method(id: MethodId): Method {
  const found = rows.get(id);
  if (found === undefined) throw new Error(`methods.json has no row ${id}`);
  return { id, ...found };
}

/** Checks that a method trains on a number of images that the request chooses: its proxies, or variations. */
export const countsImages = ({ trainsOn }: Pick<Method, 'trainsOn'>): boolean => trainsOn !== 'references';
