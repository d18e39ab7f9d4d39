/**
 * Decides after each measured round of proxies: whether another round is generated, and if not, which proxies the
 * student learns from, as a file where it looks for it. Safe to call again: the same curation gives the same answer
 * and the same file.
 */

import { readPlan } from '../../lib/aws/runs.ts';
import { readText, writeObject } from '../../lib/aws/s3.ts';
import { listJobs } from '../../lib/aws/table.ts';
import { curation as curationSchema } from '../../lib/core/contract/curation.ts';
import { names } from '../../lib/core/contract/names.ts';
import { artifactFolderOf } from '../../lib/core/jobs/artifacts.ts';
import { isOf } from '../../lib/core/jobs/records.ts';
import { keys } from '../../lib/core/keys.ts';
import { requireEnough, wantsMore } from '../../lib/core/stages/rounds.ts';
import { bucketContext } from '../shared/context.ts';
import { tableContext } from '../shared/table.ts';

export interface DecideRoundInput {
  readonly runId: string;
  /** The round that was measured. */
  readonly round: number;
}

/** @throws ProxiesTooFew when no more are to come and too few are left */
export async function handler({ runId, round }: DecideRoundInput): Promise<{ more: boolean }> {
  const context = { ...bucketContext(), ...tableContext() };
  const plan = await readPlan(context, runId);
  const job = (await listJobs(context, runId)).findLast(
    (entry) => isOf(entry, 'curate', round) && entry.state === 'SUCCEEDED',
  );
  if (job === undefined) throw new Error(`round ${round} of run ${runId} is decided before it was measured`);
  const text = await readText(context, `${artifactFolderOf(job, context.bucket)}${names.files.curation}`);
  const curation = curationSchema.parse(JSON.parse(text));
  if (wantsMore(plan, curation)) return { more: true };
  // Before it is judged: whoever reads why the run ended finds the result for every proxy there.
  await writeObject(context, keys.curationFile(runId), text, { contentType: 'application/json' });
  requireEnough(plan, curation);
  return { more: false };
}
