/** The plan of a run and the progress of its jobs, from the bucket. */
import { type Progress, progress as progressSchema } from '../core/contract/progress.ts';
import { ProxytuneError } from '../core/errors.ts';
import { keys } from '../core/keys.ts';
import { type Plan, planSchema } from '../core/plan/plan.ts';
import { type BucketContext, findText } from './s3.ts';

/** The plan of a run. @throws RunUnknown when there is none, or another version of Proxytune made it */
export async function readPlan(context: BucketContext, runId: string): Promise<Plan> {
  const text = await findText(context, keys.plan(runId));
  const read = planSchema.safeParse(text === undefined ? undefined : JSON.parse(text));
  if (read.success) return read.data;
  throw new ProxytuneError('RunUnknown', {
    what: text === undefined ? 'The run was never planned' : 'Another version of Proxytune planned the run',
    given: runId,
    remedy: text === undefined ? 'start it again' : 'generate with that version, or start the run again',
    cause: read.error,
  });
}

/** The progress file at a key. @returns undefined when there is none, or it is being replaced at this moment */
export async function readProgress(context: BucketContext, key: string): Promise<Progress | undefined> {
  const text = await findText(context, key);
  if (text === undefined) return undefined;
  try {
    return progressSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
