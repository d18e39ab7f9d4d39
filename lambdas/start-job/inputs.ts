/** Inputs of a job that expire: a run that is continued weeks later may find them gone. */
import { type BucketContext, listKeys } from '../../lib/aws/s3.ts';
import { ProxytuneError } from '../../lib/core/errors.ts';
import { INTERMEDIATES, keys } from '../../lib/core/keys.ts';
import { type Plan, stageOf } from '../../lib/core/plan/plan.ts';
import { generatesImages } from '../../lib/core/plan/stage-plan.ts';
import type { JobStage } from '../../lib/core/words.ts';

/**
 * Looks for what a stage reads below `intermediates/`, before its job is paid for.
 *
 * @throws InputsExpired, with the prefixes that have no object
 */
export async function requireInputs(context: BucketContext, plan: Plan, stage: JobStage): Promise<void> {
  const empty: string[] = [];
  for (const prefix of expiringInputs(plan, stage)) {
    if ((await listKeys(context, prefix, 1)).length === 0) empty.push(prefix);
  }
  if (empty.length === 0) return;
  throw new ProxytuneError('InputsExpired', {
    what: `The stage ${stage} reads files that are not there any more`,
    given: empty.join(', '),
    allowed:
      'to continue a run until its intermediates expire, by the setting intermediatesDays of the stack',
    remedy: 'upload subject.json again to start a new run',
  });
}

function expiringInputs(plan: Plan, name: JobStage): string[] {
  const stage = stageOf(plan, name);
  const channels = stage.kind === 'training' ? Object.values(stage.channels) : [];
  const chunks = generatesImages(stage) ? [keys.chunks(plan.runId, stage.stage)] : [];
  return [...channels, ...chunks].filter((prefix) => prefix.startsWith(INTERMEDIATES));
}
