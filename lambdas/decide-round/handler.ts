/**
 * A round of proxies was measured: says whether another one is drawn, and if not, puts what is kept where the student
 * looks for it. Safe to call again: the same curation gives the same answer and the same file.
 */

import { readPlan, readText, writeText } from '../../lib/aws/lambda/bucket.ts';
import { jobsOf } from '../../lib/aws/lambda/table.ts';
import { curation as curationSchema } from '../../lib/core/contract/curation.ts';
import { names } from '../../lib/core/contract/names.ts';
import { isOf } from '../../lib/core/jobs/records.ts';
import { keys } from '../../lib/core/keys.ts';
import { requireEnough, wantsMore } from '../../lib/core/stages/rounds.ts';

export interface DecideRoundInput {
  readonly runId: string;
  /** The round that was measured. */
  readonly round: number;
}

/** @throws ProxiesTooFew when no more are to come and too few are left */
export async function handler({ runId, round }: DecideRoundInput): Promise<{ more: boolean }> {
  const plan = await readPlan(runId);
  const job = (await jobsOf(runId)).findLast(
    (entry) => isOf(entry, 'curate', round) && entry.state === 'SUCCEEDED',
  );
  if (job === undefined) throw new Error(`round ${round} of run ${runId} is weighed before it was measured`);
  const text = await readText(`${keys.artifactFolder(runId, job.jobName)}${names.files.curation}`);
  const found = curationSchema.parse(JSON.parse(text));
  if (wantsMore(plan, found)) return { more: true };
  // Before it is judged: whoever reads why the run ended finds every picture's verdict there.
  await writeText(keys.curationFile(runId), text, 'application/json');
  requireEnough(plan, found);
  return { more: false };
}
