/** Custom resources: a lambda works during a deployment and reports to CloudFormation by a request to a URL. */
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';

/** CloudFormation refuses an answer over 4,096 bytes. */
const LONGEST_REASON = 3000;

/**
 * Does the work of a custom resource and answers CloudFormation, even if the work fails: without an answer, a
 * deployment waits for an hour.
 *
 * @param work - called when the resource is created or updated
 * @param undo - called when it is deleted. @default - a deletion changes nothing
 */
export async function answer(
  event: CloudFormationCustomResourceEvent,
  work: (event: CloudFormationCustomResourceEvent) => Promise<void>,
  undo: (event: CloudFormationCustomResourceEvent) => Promise<void> = async () => {},
): Promise<void> {
  const { StackId, RequestId, LogicalResourceId, RequestType } = event;
  const PhysicalResourceId = RequestType === 'Create' ? LogicalResourceId : event.PhysicalResourceId;
  const identity = { StackId, RequestId, LogicalResourceId, PhysicalResourceId };
  let result: { readonly Status: 'SUCCESS' } | { readonly Status: 'FAILED'; readonly Reason: string };
  try {
    await (RequestType === 'Delete' ? undo : work)(event);
    result = { Status: 'SUCCESS' };
  } catch (error) {
    result = { Status: 'FAILED', Reason: (error as Error).message.slice(0, LONGEST_REASON) };
  }
  const body = JSON.stringify({ ...identity, ...result });
  const { ok, status } = await fetch(event.ResponseURL, { method: 'PUT', body });
  if (!ok) throw new Error(`CloudFormation refused the answer ${result.Status} with ${status}`);
}
