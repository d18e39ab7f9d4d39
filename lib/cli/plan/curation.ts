/** How a plan curates and masks its proxies, for people. */
import type { Plan } from '../../core/plan/plan.ts';

/** A line for automatic masks; none without them. */
export function maskLines({ models: { segmenter }, request }: Plan): string[] {
  // A run that measures by MaSC has a segmenter too.
  if (segmenter === undefined || request.masks !== 'auto') return [];
  const kept = request.curation || request.adaptiveProxies ? '' : ', which drops none';
  return [
    `${segmenter.title} finds the subject in the photos (teach) and in the proxies (curate${kept}); only the subject counts in both trainings`,
  ];
}

/** A line for curation and one for an adaptive count; none where neither was asked for. */
export function curationLines({ curation, request }: Plan): string[] {
  if (curation === null) return [];
  const { fidelity, prompt, duplicates, safety, minimum, adaptive, rounds } = curation;
  const limits = [
    fidelity === null ? 'fidelity not asked' : `fidelity below ${fidelity} of what the photos score`,
    prompt === null ? 'prompt not asked' : `prompt below ${prompt} of it`,
    duplicates === null
      ? 'duplicates not asked'
      : `duplicates nearer than ${duplicates} of the photos' distance`,
    safety === null
      ? 'safety not checked, as the CLIP here knows no words for it'
      : `safety from ${safety.probability}`,
  ].join(', ');
  return [
    ...(request.curation
      ? [`Proxies are dropped for: ${limits}; fewer than ${minimum} left end the run`]
      : []),
    ...(adaptive === null
      ? []
      : [
          `Generated in at most ${rounds.length} rounds (${rounds.join(', ')}), until they add nothing; the price is that of all rounds`,
        ]),
  ];
}
