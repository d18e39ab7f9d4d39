/**
 * Reads the request and plans the run; rejects an invalid request before any money is spent.
 *
 * Input: the execution's, `{runId, bucket, subject, key, version}`.
 * Output: `{runId, bucket, planKey, photosPrefix, referencesPrefix, curated}`; sets the variables `$curated`, `$round`.
 * Errors: `RequestInvalid`, `TokenWordUnusable`, `ModelUnknown`, `ModelMissing`, `ModelChanged`, `OverBudget`.
 */
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../../handler-function.ts';
import { LambdaStage } from '../lambda-stage.ts';

export class PlanStage extends LambdaStage {
  constructor(scope: Construct, id: string, { lambda }: { readonly lambda: HandlerFunction }) {
    super(scope, id, {
      stage: 'plan',
      comment: 'Read the request and plan the run',
      lambda,
      payload: '{% $states.input %}',
      // The parts of the plan that later states need; rounds of proxies are counted from 1.
      assign: { curated: '{% $states.result.Payload.curated %}', round: 1 },
    });
  }
}
