/**
 * The request of a run was deleted: whoever deletes subject.json while the run goes no longer wants it. Stops the run;
 * end-run then stops its jobs, as for a run that is stopped by hand.
 */
import type { EventBridgeEvent } from 'aws-lambda';
import { inputOf, listRunningExecutions, stopExecution } from '../../lib/aws/executions.ts';
import { signalledFolder } from '../../lib/core/keys.ts';
import { executionsContext } from '../shared/context.ts';
import { setting } from '../shared/settings.ts';

interface ObjectDeleted {
  readonly bucket: { readonly name: string };
  readonly object: { readonly key: string; readonly 'version-id'?: string };
  readonly 'deletion-type'?: string;
  readonly reason?: string;
}

/** The part of an execution's input that names its request. */
interface Requested {
  readonly bucket?: string;
  readonly key?: string;
  readonly version?: string;
}

const REASON = {
  error: 'Interrupted',
  cause:
    'Its subject.json was deleted during the run. What to do: nothing if you no longer want the run; otherwise upload subject.json again to start another one.',
};

export async function handler(
  event: EventBridgeEvent<'Object Deleted', ObjectDeleted>,
): Promise<{ stopped: string[] }> {
  const { bucket, object } = event.detail;
  const stopped: string[] = [];
  // The rule's pattern cannot exclude a subject.json that lies deeper.
  if (signalledFolder(object.key) === undefined) return { stopped };
  const context = executionsContext();
  for (const { arn, name, startedAt } of await listRunningExecutions(context, setting('STATE_MACHINE_ARN'))) {
    const requested: Requested = JSON.parse(await inputOf(context, arn));
    if (requested.bucket !== bucket.name || requested.key !== object.key) continue;
    if (!isWithdrawn(requested, startedAt, event)) continue;
    await stopExecution(context, arn, REASON);
    stopped.push(name);
  }
  return { stopped };
}

/**
 * Returns true if the deletion is of the request that started the run. Deleting an object of a versioned bucket hides
 * all its versions until the next upload. Deleting a version (as lifecycle rules do after a month) affects only its run.
 */
function isWithdrawn(
  { version }: Requested,
  startedAt: Date | undefined,
  { time, detail }: EventBridgeEvent<'Object Deleted', ObjectDeleted>,
): boolean {
  if (detail['deletion-type'] !== 'Delete Marker Created') return version === detail.object['version-id'];
  // The event has whole seconds. A run of a later upload has begun later.
  return startedAt === undefined || Math.floor(startedAt.getTime() / 1000) * 1000 <= Date.parse(time);
}
