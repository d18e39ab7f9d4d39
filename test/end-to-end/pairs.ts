/**
 * Who walks the whole road in which end-to-end run: over all of them, every teacher and every student of the catalogue
 * (test/codebase/pairs.test.ts holds it).
 */
import { model } from '../../lib/core/catalogue/models.ts';

export interface Pair {
  readonly teacher: string;
  readonly student: string;
}

export const PAIRS = {
  /** The upload whose events come several times; prompts are drawn with what it made. */
  uploaded: { teacher: 'sdxl', student: 'llamagen-xl' },
  /** Lost events, spot, a time limit, curation. */
  troubled: { teacher: 'flux-dev', student: 'janus-pro-1b' },
  /** Stopped by Ctrl-C and resumed. */
  stopped: { teacher: 'sd3-medium', student: 'lumina-mgpt-7b' },
  /** Killed without a word and resumed. */
  killed: { teacher: 'sd3.5-large', student: 'llamagen-xl' },
} as const satisfies Record<string, Pair>;

/** A report of the pair's tiny models, which name themselves in it. */
export function expectPair(page: string, pair: Pair): void {
  for (const id of [pair.teacher, pair.student]) expect(page).toContain(model(model(id).tiny ?? id).title);
}

/** The pair as options of `run`. */
export const flagsOf = ({ teacher, student }: Pair): string[] => ['--teacher', teacher, '--student', student];
