/** The pictures that a teacher draws at its checkpoints, so that the best of these can be handed on. */

import { type Named, sampleTemplates, subjectWords } from '../catalogue/prompts.ts';
import type { Recipe } from '../catalogue/recipes.ts';

/** What is drawn at each checkpoint, and what a checkpoint must keep; undefined where the recipe draws none. */
export function samplesOf({ samples, sampler }: Recipe, named: Named) {
  if (samples === undefined || sampler.kind !== 'diffusion') return undefined;
  const { pictures, contexts, keepPrompt, keepDiversity } = samples;
  return {
    samples: {
      subject: subjectWords(named),
      pictures,
      steps: sampler.steps,
      guidance: sampler.guidance,
      keep_prompt: keepPrompt,
      keep_diversity: keepDiversity,
    },
    sample_prompts: sampleTemplates(named, contexts),
  };
}

/** At how many steps samples are drawn: at step 0, at every checkpoint, and at the last step. */
export function checkpointsOf({ steps, checkpointEvery }: Recipe): number {
  return 1 + Math.ceil(steps / checkpointEvery);
}
