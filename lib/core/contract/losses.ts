/**
 * `losses.json`: the loss of a training, for the report's curves. The stages teach and learn write it next to their
 * checkpoints and next to the adapter.
 */
import { z } from 'zod';

const point = z.strictObject({
  step: z.int().min(0).describe('The last step of these, from 1'),
  loss: z.number().describe('Mean over the steps since the point before'),
});

export const losses = z.strictObject({
  version: z.literal(1),
  every: z.int().min(1).describe('Steps of a point; the last may have fewer'),
  points: z.array(point).max(200),
});
export type Losses = z.infer<typeof losses>;
