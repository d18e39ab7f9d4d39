/** A plan, the context of its jobs, and SageMaker's checks, for the tests of requests. */
import { jobPrefix } from '../../lib/core/names.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { checkRequest } from '../../lib/local/sagemaker/model/validate.ts';
import {
  modelIsOneContainer,
  trainingLimits,
  transformLimits,
} from '../../lib/local/sagemaker/rules/local-limits.ts';
import { modelRules } from '../../lib/local/sagemaker/rules/model.ts';
import { applyRules } from '../../lib/local/sagemaker/rules/rule.ts';
import { trainingRules } from '../../lib/local/sagemaker/rules/training.ts';
import { modelIsPacked, transformRules } from '../../lib/local/sagemaker/rules/transform.ts';

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

/** Checks a training as SageMaker would: by the API model, by SageMaker's own rules, then by our service's limits. */
export function checkTraining(request: object): void {
  checkRequest('CreateTrainingJob', request);
  applyRules(trainingRules, request as never);
  applyRules(trainingLimits, request as never);
}

/** Checks a transform and its model in the same way. */
export function checkTransform(model: { ModelName: string }, transform: { ModelName: string }): void {
  checkRequest('CreateModel', model);
  applyRules([...modelRules, modelIsPacked, modelIsOneContainer], model as never);
  checkRequest('CreateTransformJob', transform);
  applyRules([...transformRules, ...transformLimits], transform as never);
  expect(transform.ModelName).toBe(model.ModelName);
}
