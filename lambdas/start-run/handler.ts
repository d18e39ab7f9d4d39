/**
 * The ready signal: subject.json was uploaded. Starts the run that this very upload asks for; S3 delivers events at
 * least once, and a repeat names the same execution, so it starts nothing.
 */
import { ExecutionAlreadyExists, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { EventBridgeEvent } from 'aws-lambda';
import { subjectOfKey } from '../../lib/core/keys.ts';
import { runId } from '../../lib/core/names.ts';
import { sfn } from '../shared/clients.ts';
import { setting } from '../shared/environment.ts';

interface ObjectCreated {
  readonly bucket: { readonly name: string };
  /** EventBridge does not encode keys, unlike S3's own notifications; decoding would spoil them. */
  readonly object: { readonly key: string; readonly 'version-id'?: string; readonly etag?: string };
}

export async function handler(
  event: EventBridgeEvent<'Object Created', ObjectCreated>,
): Promise<{ runId: string }> {
  const { bucket, object } = event.detail;
  const subject = subjectOfKey(object.key);
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
