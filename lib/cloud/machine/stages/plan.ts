/**
 * Reads the request and plans the run; rejects an invalid request before any money is spent.
 *
 * Input: the execution's, `{runId, bucket, subject, key, version}`.
 * Output: `{runId, bucket, planKey, photosPrefix, referencesPrefix, captions, stages}`; sets the variables `$stages`, `$round`.
 * Errors: `RequestInvalid`, `TokenWordUnusable`, `ModelUnknown`, `ModelMissing`, `ModelChanged`, `OverBudget`.
 */
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../../handler-function.ts';
import { EXECUTION_IDENTITY } from '../execution.ts';
import { LambdaStage } from '../lambda-stage.ts';

/** Fields of the execution's input. */
const FIELDS = ['runId', 'bucket', 'subject', 'key', 'version'];

export class PlanStage extends LambdaStage {
  constructor(scope: Construct, id: string, { lambda }: { readonly lambda: HandlerFunction }) {
    super(scope, id, {
      stage: 'plan',
      comment: 'Read the request and plan the run',
      lambda,
      payload: {
        ...Object.fromEntries(FIELDS.map((field) => [field, `{% $states.input.${field} %}`])),
        execution: EXECUTION_IDENTITY,
      },
      // The parts of the plan that later states need; rounds of proxies are counted from 1.
      assign: { stages: '{% $states.result.Payload.stages %}', round: 1 },
    });
  }
}
