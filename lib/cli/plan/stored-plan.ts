/** The plan of a run, as a command that needs more than its state reads it. */

import type { Place } from '../../aws/context.ts';
import { ProxytuneError } from '../../core/errors.ts';
import { keys } from '../../core/keys.ts';
import { type Plan, planSchema } from '../../core/plan/plan.ts';
import { readObject } from '../run-state.ts';

/** @throws RunUnknown when there is none, or it is another version's */
export async function readPlan(place: Place, runId: string): Promise<Plan> {
  const text = await readObject(place, keys.plan(runId));
  const read = planSchema.safeParse(text === undefined ? undefined : JSON.parse(text));
  if (read.success) return read.data;
  throw new ProxytuneError('RunUnknown', {
    what:
      text === undefined
        ? 'The run was never planned'
        : 'The run was planned by another version of Proxytune',
    given: runId,
    remedy: text === undefined ? 'start it anew' : 'draw with that version, or start the run anew',
    cause: read.error,
  });
}
