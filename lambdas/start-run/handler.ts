/**
 * The ready signal: subject.json was uploaded. Starts the run that this very upload asks for; S3 delivers events at
 * least once, and a repeat names the same execution, so it starts nothing.
 */
import { ExecutionAlreadyExists, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { EventBridgeEvent } from 'aws-lambda';
import { sfn } from '../../lib/aws/lambda/clients.ts';
import { setting } from '../../lib/aws/lambda/environment.ts';
import { signalledFolder } from '../../lib/core/keys.ts';
import { runId } from '../../lib/core/names.ts';

interface ObjectCreated {
  readonly bucket: { readonly name: string };
  /** EventBridge does not encode keys, unlike S3's own notifications; decoding would spoil them. */
  readonly object: { readonly key: string; readonly 'version-id'?: string; readonly etag?: string };
}

export async function handler(
  event: EventBridgeEvent<'Object Created', ObjectCreated>,
): Promise<{ runId: string | null }> {
  const { bucket, object } = event.detail;
  // Whether its name can be used is plan-run's to say, which can tell the user; here nobody would hear it.
  const subject = signalledFolder(object.key);
  // The rule's pattern cannot keep out a subject.json that lies deeper, among the photos for instance.
  if (subject === undefined) return { runId: null };
  const version = object['version-id'] ?? object.etag ?? '';
  const id = runId(subject, { bucket: bucket.name, key: object.key, version });
  try {
    await sfn().send(
      new StartExecutionCommand({
        stateMachineArn: setting('STATE_MACHINE_ARN'),
        name: id,
        // Nothing in here may differ between two deliveries of one event: no time, no event id.
        input: JSON.stringify({ runId: id, bucket: bucket.name, subject, key: object.key, version }),
      }),
    );
  } catch (error) {
    if (!(error instanceof ExecutionAlreadyExists)) throw error;
  }
  return { runId: id };
}
