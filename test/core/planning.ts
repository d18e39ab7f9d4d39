/** Plans as the tests of the core make them. */
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import type { PlanContext } from '../../lib/core/stages/parts.ts';

export const context = {
  runId: 'dog-0a1b2c3d',
  subject: 'dog',
  bucket: 'bucket',
  scale: 'full',
  version: '1',
} as const;

export const plan = (
  fields: object = {},
  scale: 'full' | 'tiny' = 'full',
  more: Partial<PlanContext> = {},
): Plan =>
  makePlan(parseRequest(JSON.stringify({ category: 'dog', consent: true, ...fields })), {
    ...context,
    scale,
    ...more,
  });

/** The error that making something ends in. */
export function refusal(make: () => unknown): Error {
  try {
    make();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was not refused');
}
