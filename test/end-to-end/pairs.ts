/**
 * The models of each end-to-end run: together they cover every teacher and every student of the catalogue (checked by
 * test/codebase/pairs.test.ts).
 */
import { model } from '../../lib/core/catalogue/models.ts';

export interface Pair {
  readonly teacher: string;
  readonly student: string;
}

export const PAIRS = {
  /** The upload with duplicate events; images are generated with its adapters later. */
  uploaded: { teacher: 'sdxl', student: 'llamagen-xl' },
  /** Dropped events, spot, a time limit, curation. */
  faults: { teacher: 'flux-dev', student: 'janus-pro-1b' },
  /** Stopped by Ctrl-C and resumed. */
  stopped: { teacher: 'sd3-medium', student: 'lumina-mgpt-7b' },
  /** Killed and resumed. */
  killed: { teacher: 'sd3.5-large', student: 'llamagen-xl' },
} as const satisfies Record<string, Pair>;

/** Checks that a report names the pair's tiny models. */
export function expectPair(page: string, pair: Pair): void {
  for (const id of [pair.teacher, pair.student]) expect(page).toContain(model(model(id).tiny ?? id).title);
}

/** The pair as options of `run`. */
export const flagsOf = ({ teacher, student }: Pair): string[] => ['--teacher', teacher, '--student', student];
