/** One run for one request: before its first job, a run claims what it was asked for in the table. */
import { type BucketContext, findText } from '../../lib/aws/s3.ts';
import { putClaim, readClaim, readRun, type TableContext } from '../../lib/aws/table.ts';
import { ProxytuneError } from '../../lib/core/errors.ts';
import type { JobRecord, RunRecord } from '../../lib/core/jobs/records.ts';
import { requestDigest } from '../../lib/core/jobs/repeats.ts';
import { keys } from '../../lib/core/keys.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';

/** Claims that may be taken by others between reading and writing. More would be a mistake of ours. */
const MOST_TRIES = 5;

/**
 * Claims the request of a run that has no job yet, with its photos. A run that failed or was stopped has no claim.
 *
 * @throws RequestRepeated when another run of the same is at work or has succeeded, unless the request says `again`
 */
export async function claimRequest(
  context: BucketContext & TableContext,
  plan: Plan,
  jobs: readonly JobRecord[],
): Promise<void> {
  if (jobs.length > 0) return;
  const digest = await digestOf(context, plan);
  if (digest === undefined) return;
  const { runId, request } = plan;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const holder = await readClaim(context, digest);
    if (holder !== undefined && holder !== runId && request.again !== true) {
      const run = await readRun(context, holder);
      if (run?.status === 'RUNNING' || run?.status === 'SUCCEEDED') throw repeated(run);
    }
    if (await putClaim(context, digest, runId, holder)) return;
  }
  throw new Error(`the request of ${runId} was claimed by others ${MOST_TRIES} times`);
}

/** @returns undefined for photos that an older version inspected, which did not digest them */
async function digestOf(context: BucketContext, plan: Plan): Promise<string | undefined> {
  const text = await findText(context, keys.findings(plan.runId));
  const { referencesDigest } = JSON.parse(text ?? '{}') as { referencesDigest?: string };
  return referencesDigest === undefined ? undefined : requestDigest(plan, referencesDigest);
}

function repeated({ runId, status, report }: RunRecord): ProxytuneError {
  return new ProxytuneError('RequestRepeated', {
    what: 'The same request with the same photos has a run already, so nothing was started and nothing is billed',
    given:
      status === 'RUNNING'
        ? `${runId}, which is running`
        : `${runId}, which has succeeded: ${report ?? 'its report'}`,
    remedy:
      'use that run; to run it once more, upload subject.json with "again": true, or run it with --set again=true',
  });
}
