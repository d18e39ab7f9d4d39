/**
 * The ready signal: subject.json was uploaded. Starts the run that this very upload requests; S3 delivers events at
 * least once, and a repeat names the same execution, so it starts nothing.
 */
import type { EventBridgeEvent } from 'aws-lambda';
import { startExecution } from '../../lib/aws/executions.ts';
import { mistakenFolder, signalledFolder } from '../../lib/core/keys.ts';
import { runId } from '../../lib/core/names.ts';
import { executionsContext } from '../shared/context.ts';
import { setting } from '../shared/settings.ts';

interface ObjectCreated {
  readonly bucket: { readonly name: string };
  /** EventBridge does not encode keys, unlike S3's own notifications; decoding would corrupt them. */
  readonly object: {
    readonly key: string;
    readonly 'version-id'?: string;
    readonly etag?: string;
    readonly size?: number;
  };
}

export async function handler(
  event: EventBridgeEvent<'Object Created', ObjectCreated>,
): Promise<{ runId: string | null }> {
  const { bucket, object } = event.detail;
  // Its name and that of its file are checked by plan-run, which can notify the user; an error here would reach nobody.
  const subject = signalledFolder(object.key) ?? mistakenFolder(object.key);
  // The rule's pattern cannot exclude a subject.json that lies deeper, among the photos for instance.
  if (subject === undefined) return { runId: null };
  // Some programs create a file first and fill it then; the full one has an event of its own.
  if (object.size === 0) return { runId: null };
  const version = object['version-id'] ?? object.etag ?? '';
  const id = runId(subject, { bucket: bucket.name, key: object.key, version });
  await startExecution(executionsContext(), {
    stateMachine: setting('STATE_MACHINE_ARN'),
    name: id,
    // Nothing in here may differ between two deliveries of one event: no time, no event id.
    input: { runId: id, bucket: bucket.name, subject, key: object.key, version },
  });
  return { runId: id };
}
