/**
 * Checks the photos and writes the references, which every later stage reads instead of them.
 *
 * Input: the plan stage's output, of which `bucket`, `photosPrefix`, `referencesPrefix` and `captions` are used.
 * Output: `{accepted, warnings, referencesPrefix, findingsKey}`.
 * Errors: `PhotosRejected`, which lists every finding.
 */
import type { Construct } from 'constructs';
import type { HandlerFunction } from '../../handler-function.ts';
import { LambdaStage } from '../lambda-stage.ts';

export class InspectStage extends LambdaStage {
  constructor(scope: Construct, id: string, { lambda }: { readonly lambda: HandlerFunction }) {
    super(scope, id, {
      stage: 'inspect',
      comment: 'Check the photos before any GPU is paid for',
      lambda,
      payload: {
        runId: '{% $runId %}',
        bucket: '{% $states.input.bucket %}',
        photosPrefix: '{% $states.input.photosPrefix %}',
        referencesPrefix: '{% $states.input.referencesPrefix %}',
        captions: '{% $states.input.captions %}',
      },
    });
  }
}
