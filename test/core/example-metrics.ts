/** Metrics of a run with one row, for tests of what is done with them. */
import type { Metrics } from '../../lib/core/contract/metrics.ts';

const score = { mean: 0.7, low: 0.6, high: 0.8 };
const difference = { mean: -0.05, low: -0.1, high: 0.01, p: 0.25, pairs: 4 };

export const METRICS: Metrics = {
  version: 1,
  run: 'x',
  subject: 'rex',
  category: 'dog',
  rows: [
    {
      name: 'student',
      pictures: 2,
      clip_i: score,
      clip_t: score,
      dino: score,
      nearest_dino: score,
      copies: 0,
      attractor: { reference: 0, share: 1 },
      diversity: null,
    },
  ],
  pictures: [],
  comparison: { clip_i: difference, clip_t: null, dino: difference },
  verdict: 'The student keeps 90 % of what the teacher learned.',
  evaluator: { clip: 'clip-tiny', dino: 'dino-tiny', clip_sha256: 'a', dino_sha256: 'b', versions: {} },
  stages: [],
};
