/**
 * Judges the photos and writes the references, which every later stage reads instead of them.
 *
 * Enters: what plan leaves; read are `bucket`, `photosPrefix` and `referencesPrefix`.
 * Leaves: `{accepted, warnings, referencesPrefix, findingsKey}`.
 * Errors: `PhotosRejected`, with every finding at once.
 */
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { LambdaStage } from '../lambda-stage.ts';

export class InspectStage extends LambdaStage {
  constructor(scope: Construct, id: string, { lambda }: { readonly lambda: IFunction }) {
    super(scope, id, {
      stage: 'inspect',
      comment: 'Judge the photos before any GPU is paid for',
      lambda,
      payload: {
        runId: '{% $runId %}',
        bucket: '{% $states.input.bucket %}',
        photosPrefix: '{% $states.input.photosPrefix %}',
        referencesPrefix: '{% $states.input.referencesPrefix %}',
      },
    });
  }
}
