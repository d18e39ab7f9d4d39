/**
 * Puts the report where the user looks for it, and tells the user.
 *
 * Enters: nothing that is read.
 * Leaves: `{runId, report, usd}`, which is the execution's output; `report` is the page's S3 URI.
 * Errors: none with a name of ours; what fails here is a fault of the product.
 */
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { LambdaStage } from '../lambda-stage.ts';

export class PublishStage extends LambdaStage {
  constructor(scope: Construct, id: string, { lambda }: { readonly lambda: IFunction }) {
    super(scope, id, {
      stage: 'publish',
      comment: 'Put the report in its place and tell the user',
      lambda,
      payload: { runId: '{% $runId %}' },
    });
  }
}
