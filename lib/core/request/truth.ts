/** The true appearance of a drawn subject: what nobody can know of a photographed one. */
import { z } from 'zod';

const RGB = 'three whole numbers from 0 to 255: red, green, blue';
const level = z.int().min(0).max(255);
const colour = z.tuple([level, level, level], { error: RGB });
const proportion = z.number().min(0).max(1);

export const truth = z.strictObject({
  pattern: z.enum(['plain', 'bands', 'stripes', 'halves', 'spot']).describe('What is drawn on the body'),
  body: colour.describe(`Colour of the body; ${RGB}`),
  mark: colour.describe(`Colour of the pattern; ${RGB}`),
  trim: colour.describe(`Colour of ears, roofs, handles and such; ${RGB}`),
  build: proportion.describe('One proportion of the body'),
  stretch: proportion.describe('The other; what they change depends on the category'),
});
