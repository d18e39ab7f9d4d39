/**
 * What TypeScript and Python must say alike, in one file: `names.json`, which is exported to the containers as it is.
 * Python reads it in containers/proxytune/contract/names.py.
 */
import { z } from 'zod';
import data from './names.json' with { type: 'json' };

const schema = z.strictObject({
  limits: z.strictObject({
    /** The mean of 200 proxies is known to about 0.01; more would only make the report heavy. */
    scoredProxies: z.int().min(1),
  }),
});

export const names = schema.parse(data);
