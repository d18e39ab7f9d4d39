/** What a plan does with proxies beside drawing them, for people. */
import type { Plan } from '../core/plan.ts';

/** A line for curation and one for an adaptive count; none where neither was asked for. */
export function curationLines({ curation, request }: Plan): string[] {
  if (curation === null) return [];
  const { fidelity, prompt, duplicates, safety, minimum, adaptive, rounds } = curation;
  const checked =
    safety === null
      ? 'safety not checked, as this world has no words for it'
      : `safety from ${safety.probability}`;
  const limits =
    `fidelity below ${fidelity} and prompt below ${prompt} of what the photos score, duplicates nearer than ` +
    `${duplicates} of the distance of the photos, ${checked}`;
  return [
    ...(request.curation
      ? [`Proxies are dropped for: ${limits}; fewer than ${minimum} left end the run`]
      : []),
    ...(adaptive === null
      ? []
      : [
          `Drawn in at most ${rounds.length} rounds (${rounds.join(', ')}), no more once they add nothing; the price is that of all`,
        ]),
  ];
}
