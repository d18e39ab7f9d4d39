/** The stage curate: drops proxies, and decides whether more of them are generated. */
import { z } from 'zod';
import { curationBy } from '../catalogue/curation-defaults.ts';
import type { CurationPlan } from '../contract/curation.ts';
import * as fields from '../contract/fields.ts';
import { names } from '../contract/names.ts';
import { ProxytuneError } from '../errors.ts';
import { keys } from '../keys.ts';
import { PHOTO_LIMITS } from '../photos/limits.ts';
import { chooseInstance, trainingPlan } from '../plan/pricing.ts';
import type { TrainingJob } from '../plan/stage-plan.ts';
import { encodingMinutes } from '../plan/work.ts';
import type { Masking } from '../words.ts';
import { instanceType, jobFields, maskPrompt, type Parts, segmenting } from './parts.ts';

const { channels } = names;

/** The share of the wanted proxies that must be left, but never fewer than a request may ask for. */
const LEAST_SHARE = 0.1;
/** Each round loads the teacher again, so more of them cost more than they can save. */
const ROUNDS = 4;
/**
 * Chosen on the 150 proxies of the miniature demo, whose share of new pictures falls from a third to a twentieth at this
 * reach; 0.05 of the spread is how far the mean of about 200 pictures moves when they are doubled.
 */
const ADAPTIVE = { reach: 0.4, newShare: 0.1, drift: 0.05 };

const share = (text: string) => fields.share.describe(text);

/** Fields without effect unless `curation` is true. */
const thresholds = {
  fidelity: share(
    'Least DINO similarity of a proxy to the photos, as share of that of the photos to each other. Default: in curation.json',
  ),
  prompt: share(
    'Least CLIP similarity of a proxy to its prompt, as share of that of the photos to the category. Default: in curation.json',
  ),
  duplicates: share(
    'A proxy nearer than this to a kept one is dropped, as share of the photos’ distance to each other; 0 drops only exact copies. Default: in curation.json',
  ),
  safety: fields.probability.describe(
    'A proxy is dropped from this CLIP probability of unsafe content on; 1 drops none. Default: in curation.json',
  ),
};

/** Fields without effect unless `adaptiveProxies` is true. */
const adaptive = {
  rounds: z
    .int()
    .min(2)
    .max(20)
    .describe(`Rounds of an adaptive count, at most; each loads the teacher again. Default: ${ROUNDS}`),
  reach: share(
    `A proxy nearer to an earlier one than this share of their usual distance shows nothing new. Default: ${ADAPTIVE.reach}`,
  ),
  newShare: share(
    `More proxies add something while at least this share of a round’s shows something new. Default: ${ADAPTIVE.newShare}`,
  ),
  drift: share(
    `More proxies add something while a round changes their mean or spread by more than this. Default: ${ADAPTIVE.drift}`,
  ),
};

export const curateAdvanced = z
  .strictObject({
    ...thresholds,
    minimum: fields.leastKept.describe(
      'Fewer kept proxies end the run before the student is trained. Default: a tenth of proxies, but at least 8',
    ),
    ...adaptive,
    instanceType: instanceType('training'),
  })
  .partial()
  .describe('Dropping proxies, and an adaptive count of them');
type CurateAdvanced = z.infer<typeof curateAdvanced>;

export const THRESHOLD_FIELDS = Object.keys(thresholds);
export const ADAPTIVE_FIELDS = Object.keys(adaptive);

export const curateHyperparameters = z.strictObject({
  stage: z.literal('curate'),
  ...jobFields,
  round: z.int().min(1).describe('Which round of drawing is over; counts from 1'),
  mask_prompt: maskPrompt,
});

/**
 * Measures the proxies with the encoders of the evaluation. Each round measures its own pictures only, but loads the
 * encoders again.
 *
 * @throws RequestInvalid
 */
export function planCurate(
  parts: Parts,
  { rounds }: CurationPlan,
  advanced: CurateAdvanced = {},
): TrainingJob<z.infer<typeof curateHyperparameters>> {
  const { context, clip, dino, segmenter, counts, seed } = parts;
  const run = context.runId;
  const masks = segmenting(parts);
  const pictures = counts.proxies + rounds.length * PHOTO_LIMITS.maxPhotos;
  const minutes =
    rounds.length * clip.minutes.load +
    encodingMinutes([clip, dino], pictures) +
    encodingMinutes(segmenter === undefined ? [] : [segmenter], counts.proxies);
  const on = chooseInstance(clip, 'training', advanced.instanceType, context.instanceTypes);
  return trainingPlan('curate', on, minutes, {
    hyperparameters: {
      stage: 'curate',
      family: 'clip-dino',
      model: clip.id,
      seed,
      round: 1,
      ...masks.hyperparameters,
    },
    channels: {
      [channels.plan]: keys.plan(run),
      [channels.references]: keys.references(run),
      [channels.proxies]: keys.pictures(run, 'synthesize'),
      [channels.clip]: keys.model(clip.id),
      [channels.dino]: keys.model(dino.id),
      ...masks.channels,
    },
    compressed: false,
  });
}

/**
 * The curation of a request; null when it asks for none. Automatic masks alone are one without any threshold: their job
 * masks the proxies, and all of them are kept.
 * @param advanced - of the request
 * @param clip - catalogue id of the CLIP that measures
 * @param proxies - the most that are drawn
 * @param picturesPerChunk - a round ends with a whole chunk
 * @throws RequestInvalid when more are to be left than are drawn
 */
export function curationOf(
  request: { readonly curation: boolean; readonly adaptiveProxies: boolean; readonly masks: Masking },
  advanced: CurateAdvanced = {},
  clip: string,
  { proxies, picturesPerChunk }: { readonly proxies: number; readonly picturesPerChunk: number },
): CurationPlan | null {
  if (!request.curation && !request.adaptiveProxies && request.masks === 'given') return null;
  const standard = curationBy(clip);
  const least = (name: 'fidelity' | 'prompt' | 'duplicates') =>
    request.curation ? (advanced[name] ?? standard[name]?.value ?? null) : null;
  const { unsafe, safe } = standard;
  const probability = advanced.safety ?? standard.safety?.value;
  const checked = request.curation && probability !== undefined && unsafe !== null && safe !== null;
  return {
    fidelity: least('fidelity'),
    prompt: least('prompt'),
    duplicates: least('duplicates'),
    safety: checked ? { probability, unsafe, safe } : null,
    likeness: standard.likeness.value,
    minimum: leastKept(proxies, advanced.minimum),
    adaptive: request.adaptiveProxies
      ? {
          reach: advanced.reach ?? ADAPTIVE.reach,
          newShare: advanced.newShare ?? ADAPTIVE.newShare,
          drift: advanced.drift ?? ADAPTIVE.drift,
        }
      : null,
    rounds: request.adaptiveProxies
      ? roundsOf(proxies, picturesPerChunk, advanced.rounds ?? ROUNDS)
      : [proxies],
  };
}

/** @throws RequestInvalid when more are to be left than are drawn, which would only be found after they were paid for */
function leastKept(proxies: number, requested: number | undefined): number {
  const minimum =
    requested ?? Math.min(proxies, Math.max(fields.LEAST_PROXIES, Math.ceil(proxies * LEAST_SHARE)));
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
