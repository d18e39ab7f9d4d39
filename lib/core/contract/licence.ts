/** The licence of a model, as the catalogue, a model's manifest, a plan and an import request state it. */
import { z } from 'zod';

export const licence = z
  .strictObject({
    name: z.string(),
    url: z.string(),
    commercial: z.enum(['yes', 'no', 'mixed']),
    note: z.string(),
  })
  .meta({ title: 'Licence' });
export type Licence = z.infer<typeof licence>;
