/** When proxies are dropped, in how many rounds they are drawn, and what is decided at the end of each. */

import { curationBy } from '../catalogue/curation-defaults.ts';
import { CRITERIA, type Curation, type CurationPlan } from '../contract/curation.ts';
import { ProxytuneError } from '../errors.ts';
import { keys } from '../keys.ts';
import { type Plan, transformOf } from '../plan/plan.ts';
import type { Request } from '../request/request.ts';
import type { TransformStage } from '../words.ts';

/** The share of the wanted proxies that must be left, and the fewest that teach anything (`proxies` in the request). */
const LEAST_SHARE = 0.1;
const LEAST = 8;
/** Each round loads the teacher anew, so more of them cost more than they can save. */
const ROUNDS = 4;
/**
 * Chosen on the 150 proxies of the miniature demo, whose share of new pictures falls from a third to a twentieth at this
 * reach; 0.05 of the spread is how far the mean of about 200 pictures moves when they are doubled.
 */
const ADAPTIVE = { reach: 0.4, newShare: 0.1, drift: 0.05 };

/**
 * What a request's curation asks for; null when it asks for none.
 * @param clip - catalogue id of the CLIP that measures
 * @param proxies - the most that are drawn
 * @param picturesPerChunk - a round ends with a whole chunk
 * @throws RequestInvalid when more are to be left than are drawn
 */
export function planCuration(
  request: Request,
  clip: string,
  { proxies, picturesPerChunk }: { readonly proxies: number; readonly picturesPerChunk: number },
): CurationPlan | null {
  if (!request.curation && !request.adaptiveProxies) return null;
  const standard = curationBy(clip);
  const asked = request.advanced.curate ?? {};
  const least = (name: 'fidelity' | 'prompt' | 'duplicates') =>
    request.curation ? (asked[name] ?? standard[name]?.value ?? null) : null;
  const { unsafe, safe } = standard;
  const probability = asked.safety ?? standard.safety?.value;
  const checked = request.curation && probability !== undefined && unsafe !== null && safe !== null;
  return {
    fidelity: least('fidelity'),
    prompt: least('prompt'),
    duplicates: least('duplicates'),
    safety: checked ? { probability, unsafe, safe } : null,
    likeness: standard.likeness.value,
    minimum: leastKept(proxies, asked.minimum),
    adaptive: request.adaptiveProxies
      ? {
          reach: asked.reach ?? ADAPTIVE.reach,
          newShare: asked.newShare ?? ADAPTIVE.newShare,
          drift: asked.drift ?? ADAPTIVE.drift,
        }
      : null,
    rounds: request.adaptiveProxies ? roundsOf(proxies, picturesPerChunk, asked.rounds ?? ROUNDS) : [proxies],
  };
}

/** @throws RequestInvalid when more are to be left than are drawn, which would only be found after they were paid for */
function leastKept(proxies: number, asked: number | undefined): number {
  const minimum = asked ?? Math.min(proxies, Math.max(LEAST, Math.ceil(proxies * LEAST_SHARE)));
  if (minimum <= proxies) return minimum;
  throw new ProxytuneError('RequestInvalid', {
    what: 'More proxies are to be left than are drawn',
    given: `advanced.curate.minimum ${minimum} of ${proxies} proxies`,
    allowed: `at most ${proxies}`,
    remedy: 'lower the minimum, or raise proxies',
  });
}

/** Proxies at the end of each round: whole chunks, as even as they go, all of them at the end of the last. */
function roundsOf(proxies: number, picturesPerChunk: number, wanted: number): number[] {
  const chunks = Math.ceil(proxies / picturesPerChunk);
  const rounds = Math.min(wanted, chunks);
  return Array.from({ length: rounds }, (_, round) =>
    Math.min(proxies, Math.ceil(((round + 1) * chunks) / rounds) * picturesPerChunk),
  );
}

/** How many chunks of a stage are wanted by the end of a round: all, but for proxies that are drawn in several. */
export function chunksUntil(plan: Plan, stage: TransformStage, round: number): number {
  const { chunks, pictures, picturesPerChunk } = transformOf(plan, stage);
  if (stage !== 'synthesize') return chunks;
  return Math.ceil((plan.curation?.rounds[round - 1] ?? pictures) / picturesPerChunk);
}

/**
 * Whether another round of proxies is drawn: while they add something, or while too few are left.
 * @param found - what the curation of the last round came to
 */
export function wantsMore(plan: Plan, found: Curation): boolean {
  const { rounds, minimum } = curationIn(plan);
  const enough = found.kept >= minimum && found.adaptive?.satisfied === true;
  return found.round < rounds.length && !enough;
}

/**
 * Refuses to go on with too few proxies, before the student's GPU is paid for.
 * @throws ProxiesTooFew
 */
export function requireEnough(plan: Plan, found: Curation): void {
  const { minimum } = curationIn(plan);
  if (found.kept >= minimum) return;
  throw new ProxytuneError('ProxiesTooFew', {
    what: `Curation kept ${found.kept} of ${found.drawn} proxies`,
    given: `dropped for ${droppedFor(found)}; each with its scores in ${keys.curationFile(plan.runId)}`,
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
