/** Every job of a run. What a stage does is in its own file: its fields of a request, its hyperparameters, its plan. */
import type { StagePlan } from '../plan/plan.ts';
import type { Request } from '../request/request.ts';
import { planCurate } from './curate.ts';
import { planEvaluate } from './evaluate.ts';
import { planLearn } from './learn.ts';
import type { Parts } from './parts.ts';
import { planSample } from './sample.ts';
import { planSynthesize } from './synthesize.ts';
import { planTeach } from './teach/teach.ts';

/**
 * The plans of all jobs, in the order of the pipeline.
 * @throws RequestInvalid
 */
export function planStages(parts: Parts, { advanced, synthesis }: Request): StagePlan[] {
  const teach = planTeach(parts, advanced.teach);
  return [
    teach,
    planSynthesize(parts, synthesis, advanced.synthesize),
    ...(parts.curation === null ? [] : [planCurate(parts, parts.curation, advanced.curate)]),
    planLearn(parts, advanced.learn),
    planSample(parts, 'teacher', advanced.sample),
    planSample(parts, 'student', advanced.sample),
    planEvaluate(parts, teach.hyperparameters.validation_images !== undefined, advanced.evaluate),
  ];
}
