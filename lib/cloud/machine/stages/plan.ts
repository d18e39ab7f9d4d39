/**
 * Reads the request, plans the run, and refuses it before any money is spent.
 *
 * Enters: the execution's input, `{runId, bucket, subject, key, version}`.
 * Leaves: `{runId, bucket, planKey, photosPrefix, referencesPrefix, curated}`, and the variables `$curated`, `$round`.
 * Errors: `RequestInvalid`, `TokenWordUnusable`, `ModelUnknown`, `ModelMissing`, `ModelChanged`, `OverBudget`.
 */
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { LambdaStage } from '../lambda-stage.ts';

export class PlanStage extends LambdaStage {
  constructor(scope: Construct, id: string, { lambda }: { readonly lambda: IFunction }) {
    super(scope, id, {
      stage: 'plan',
      comment: 'Read the request and plan the run',
      lambda,
      payload: '{% $states.input %}',
      // What the later states need to know of the plan; the rounds of proxies count from 1.
      assign: { curated: '{% $states.result.Payload.curated %}', round: 1 },
    });
  }
}
