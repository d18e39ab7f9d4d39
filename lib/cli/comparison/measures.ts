/** The measures of a comparison: where they are in metrics.json, and how they are printed. */
import type { Metrics } from '../../core/contract/metrics.ts';

export type MetricsRow = Metrics['rows'][number];
export type Score = MetricsRow['dino'];

export interface Measure {
  /** Name of its columns in the CSV file. */
  readonly key: string;
  readonly title: string;
  /** The better direction; null where neither is. */
  readonly better: 'higher' | 'lower' | null;
  readonly digits: number;
  readonly of: (row: MetricsRow) => Score | null;
}

export const MEASURES: readonly Measure[] = [
  {
    key: 'masc_identity',
    title: 'MaSC identity',
    better: 'higher',
    digits: 2,
    of: (row) => row.masc_identity ?? null,
  },
  {
    key: 'masc_prompt',
    title: 'MaSC prompt',
    better: 'higher',
    digits: 2,
    of: (row) => row.masc_prompt ?? null,
  },
  {
    key: 'dreamsim',
    title: 'DreamSim',
    better: 'higher',
    digits: 2,
    of: (row) => row.dreamsim ?? null,
  },
  { key: 'dino', title: 'DINO', better: 'higher', digits: 2, of: (row) => row.dino },
  { key: 'clip_i', title: 'CLIP-I', better: 'higher', digits: 2, of: (row) => row.clip_i },
  { key: 'clip_t', title: 'CLIP-T', better: 'higher', digits: 2, of: (row) => row.clip_t },
  { key: 'diversity', title: 'diversity', better: null, digits: 2, of: (row) => row.diversity },
  { key: 'palette', title: 'palette', better: 'lower', digits: 1, of: ({ exact }) => exact?.palette ?? null },
  { key: 'shape', title: 'shape', better: 'higher', digits: 2, of: ({ exact }) => exact?.shape ?? null },
  {
    key: 'pattern',
    title: 'pattern',
    better: 'higher',
    digits: 2,
    of: ({ exact }) => exact?.pattern ?? null,
  },
  {
    key: 'context',
    title: 'context',
    better: 'higher',
    digits: 2,
    of: ({ exact }) => exact?.context ?? null,
  },
];

/** The measures that at least one of the scores has. */
export function measuresOf(scores: readonly Readonly<Record<string, unknown>>[]): Measure[] {
  return MEASURES.filter(({ key }) => scores.some((each) => each[key] !== null && each[key] !== undefined));
}

/** `0.71 (0.68 to 0.74)`; without an interval the mean alone. */
export function printedScore({ digits }: Measure, score: Score | null | undefined): string {
  if (score === null || score === undefined) return '–';
  const { mean, low, high } = score;
  if (low === null || high === null) return mean.toFixed(digits);
  return `${mean.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}
