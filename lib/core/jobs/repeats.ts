/** Identity of what a run was asked for: a second run of the same would give the same images, and bill them again. */
import { sha256Hex } from '../names.ts';
import type { Plan } from '../plan/plan.ts';
import { eachModel } from '../words.ts';

/** Fields of the request that change no image. */
const WITHOUT_EFFECT = ['$schema', 'again', 'consent', 'maxUsd', 'notify'];

/**
 * Digest of everything that decides the results of a run: request, photos, models, image and product version.
 *
 * @param references - the digest of the references, as the inspection found it
 */
export function requestDigest(
  { subject, request, models, image, versions }: Plan,
  references: string,
): string {
  const asked = Object.fromEntries(
    Object.entries(request).filter(([field]) => !WITHOUT_EFFECT.includes(field)),
  );
  const files = eachModel(models).map(({ id, digest }) => [id, digest]);
  return sha256Hex(JSON.stringify(sorted({ subject, asked, files, image, versions, references })));
}

/** The same value with the fields of each object in the order of their names. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}
