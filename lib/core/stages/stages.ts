/** Every job of a run. What a stage does is in its own file: its fields of a request, its hyperparameters, its plan. */
import type { StagePlan } from '../plan/plan.ts';
import type { Request } from '../request/request.ts';
import { planCurate } from './curate.ts';
import { planEvaluate } from './evaluate.ts';
import { planLearn } from './learn.ts';
import { hasTeacher, type Parts } from './parts.ts';
import { planSample } from './sample.ts';
import { planSynthesize } from './synthesize.ts';
import { planTeach } from './teach/teach.ts';

/**
 * The plans of all jobs, in the order of the pipeline.
 * @throws RequestInvalid
 */
export function planStages(parts: Parts, { advanced, synthesis }: Request): StagePlan[] {
  const learn = planLearn(parts, advanced.learn);
  const sample = planSample(parts, parts.student, parts.recipes.student, 'sample-student', advanced.sample);
  if (!hasTeacher(parts)) return [learn, sample, planEvaluate(parts, false, advanced.evaluate)];
  const teach = planTeach(parts, advanced.teach);
  return [
    teach,
    planSynthesize(parts, synthesis, advanced.synthesize),
    ...(parts.curation === null ? [] : [planCurate(parts, parts.curation, advanced.curate)]),
    learn,
    planSample(parts, parts.teacher, parts.recipes.teacher, 'sample-teacher', advanced.sample),
    sample,
    planEvaluate(parts, teach.hyperparameters.validation_images !== undefined, advanced.evaluate),
  ];
}
