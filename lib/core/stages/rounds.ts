/** Decisions after each round of proxies: whether another one follows, and whether enough of them are left. */
import { CRITERIA, type Curation, type CurationPlan } from '../contract/curation.ts';
import { ProxytuneError } from '../errors.ts';
import { keys } from '../keys.ts';
import { type Plan, transformOf } from '../plan/plan.ts';
import type { TransformStage } from '../words.ts';

/** How many chunks of a stage are wanted by the end of a round: all, but for proxies that are drawn in several. */
export function chunksUntil(plan: Plan, stage: TransformStage, round: number): number {
  const { chunks, pictures, picturesPerChunk } = transformOf(plan, stage);
  if (stage !== 'synthesize') return chunks;
  return Math.ceil((plan.curation?.rounds[round - 1] ?? pictures) / picturesPerChunk);
}

/**
 * True when another round of proxies follows: while they add something, or while too few are left.
 * @param result - of the last round's curation
 */
export function wantsMore(plan: Plan, result: Curation): boolean {
  const { rounds, minimum } = curationIn(plan);
  const enough = result.kept >= minimum && result.adaptive?.satisfied === true;
  return result.round < rounds.length && !enough;
}

/**
 * Refuses to go on with too few proxies, before the student's GPU is paid for.
 * @throws ProxiesTooFew
 */
export function requireEnough(plan: Plan, result: Curation): void {
  const { minimum } = curationIn(plan);
  if (result.kept >= minimum) return;
  throw new ProxytuneError('ProxiesTooFew', {
    what: `Curation kept ${result.kept} of ${result.drawn} proxies`,
    given: `dropped for ${droppedFor(result)}; each with its scores in ${keys.curationFile(plan.runId)}`,
    allowed: `at least ${minimum} (advanced.curate.minimum)`,
    remedy:
      'look at the proxies; where they are good, set the thresholds under advanced.curate lower or the minimum ' +
      'smaller, else train the teacher longer or give other photos, then upload subject.json again',
  });
}

function curationIn({ curation, runId }: Plan): CurationPlan {
  if (curation !== null) return curation;
  throw new Error(`the plan of ${runId} asks for no curation`);
}

function droppedFor({ dropped, limits }: Curation): string {
  const counts = CRITERIA.filter((name) => dropped[name] > 0).map(
    (name) => `${name} ${dropped[name]} (limit ${limits[name]?.toFixed(3)})`,
  );
  return counts.join(', ') || 'nothing';
}
