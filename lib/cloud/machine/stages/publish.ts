/**
 * Copies the report to its final place and notifies the user.
 *
 * Input: ignored.
 * Output: `{runId, report, usd}`, which is the execution's output; `report` is the page's S3 URI.
 * Errors: none of the catalogue; a failure here is a bug.
 */
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../../handler-function.ts';
import { EXECUTION_IDENTITY } from '../execution.ts';
import { LambdaStage } from '../lambda-stage.ts';

export class PublishStage extends LambdaStage {
  constructor(scope: Construct, id: string, { lambda }: { readonly lambda: HandlerFunction }) {
    super(scope, id, {
      stage: 'publish',
      comment: 'Publish the report and notify the user',
      lambda,
      payload: { runId: '{% $runId %}', execution: EXECUTION_IDENTITY },
    });
  }
}
