/** A plan and the context of its jobs, for the tests of the requests that SageMaker gets. */
import { jobPrefix } from '../../lib/core/names.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';

export const PREFIX = jobPrefix('Proxytune');
export const CONTEXT = {
  roleArn: 'arn:aws:iam::123456789012:role/Proxytune-JobRole-0123456789AB',
  region: 'eu-central-1',
  jobPrefix: PREFIX,
  imageUri: `123456789012.dkr.ecr.us-east-1.amazonaws.com/cdk-hnb659fds-container-assets:${'0'.repeat(64)}`,
};
// The longest a run's id and a bucket's name can be.
export const RUN = `${'a'.repeat(20)}-0a1b2c3d`;
export const BUCKET = 'b'.repeat(63);

/** Keys that every stage needs in the bucket. */
const WHOLE = { category: 'dog', consent: true, maxUsd: 10_000, curation: true, adaptiveProxies: true };

export function plan(fields: object = {}, scale: 'full' | 'tiny' = 'full'): Plan {
  const request = parseRequest(JSON.stringify({ ...WHOLE, ...fields }));
  return makePlan(request, { runId: RUN, subject: 's'.repeat(40), bucket: BUCKET, scale, version: '1' });
}

/** The context of a transform's model, whose adapter is anywhere. */
export const SERVING = { ...CONTEXT, artifactUri: 's3://b/m.tar.gz' };
