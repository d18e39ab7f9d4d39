/** Deploys one CloudFormation stack, and reports why that failed. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  type Stack,
  type StackEvent,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import { ProxytuneError } from '../../core/errors.ts';

/** Milliseconds between polls of a stack's status. */
const POLL = 100;

/** Statuses from which CloudFormation can only delete a stack. */
const ONLY_DELETABLE = /^(ROLLBACK_COMPLETE|CREATE_FAILED|ROLLBACK_FAILED|DELETE_FAILED|REVIEW_IN_PROGRESS)$/;

export type StackChange = 'created' | 'updated' | 'unchanged';

export interface StackDeployment {
  readonly stack: Stack;
  readonly change: StackChange;
  /** Resources that no longer existed and were created again. */
  readonly recreated: readonly Recreated[];
}

/** A resource that the emulator had lost; see `repairs/lost_resources.py`. */
export interface Recreated {
  readonly id: string;
  /** For example `AWS::Lambda::Function`. */
  readonly type: string;
}

/** REASON of `repairs/lost_resources.py`. */
const RECREATED = 'The resource no longer existed and was created again';

/**
 * Creates or updates a stack and waits until it is complete. What the stack has lost is created again.
 *
 * @throws ProxytuneError `LocalCloudFailed` that names each failed resource with its reason.
 */
export async function deployStack(
  client: CloudFormationClient,
  stackName: string,
  templateUrl: string,
): Promise<StackDeployment> {
  const before = await removeIfBroken(client, stackName);
  const since = new Date();
  const request = {
    StackName: stackName,
    TemplateURL: templateUrl,
    Capabilities: [
      'CAPABILITY_IAM' as const,
      'CAPABILITY_NAMED_IAM' as const,
      'CAPABILITY_AUTO_EXPAND' as const,
    ],
  };
  try {
    await client.send(
      before === undefined ? new CreateStackCommand(request) : new UpdateStackCommand(request),
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (before !== undefined && message.includes('No updates are to be performed')) {
      return {
        stack: before,
        change: 'unchanged',
        recreated: await recreatedSince(client, stackName, since),
      };
    }
    throw deploymentError(stackName, [message], error);
  }
  const stack = await waitForStack(client, stackName);
  if (stack?.StackStatus !== 'CREATE_COMPLETE' && stack?.StackStatus !== 'UPDATE_COMPLETE') {
    throw deploymentError(stackName, await failures(client, stackName, since));
  }
  return {
    stack,
    change: before === undefined ? 'created' : 'updated',
    recreated: await recreatedSince(client, stackName, since),
  };
}

async function recreatedSince(
  client: CloudFormationClient,
  stackName: string,
  since: Date,
): Promise<Recreated[]> {
  return (await eventsSince(client, stackName, since))
    .filter(({ ResourceStatusReason }) => ResourceStatusReason === RECREATED)
    .map(({ LogicalResourceId = '', ResourceType = '' }) => ({ id: LogicalResourceId, type: ResourceType }));
}

/** Deletes a stack, if it exists, and waits until it is gone. */
async function removeStack(client: CloudFormationClient, stackName: string): Promise<void> {
  const since = new Date();
  await client.send(new DeleteStackCommand({ StackName: stackName }));
  const left = await waitForStack(client, stackName);
  if (left !== undefined && left.StackStatus !== 'DELETE_COMPLETE') {
    throw deploymentError(stackName, await failures(client, stackName, since));
  }
}

async function removeIfBroken(client: CloudFormationClient, stackName: string): Promise<Stack | undefined> {
  const stack = await waitForStack(client, stackName);
  if (stack === undefined || stack.StackStatus === 'DELETE_COMPLETE') return undefined;
  if (!ONLY_DELETABLE.test(stack.StackStatus ?? '')) return stack;
  await removeStack(client, stackName);
  return undefined;
}

/** Waits until nothing is in progress and returns the stack; undefined if there is none. */
async function waitForStack(client: CloudFormationClient, stackName: string): Promise<Stack | undefined> {
  for (;;) {
    const stack = await describe(client, stackName);
    const busy = stack?.StackStatus?.endsWith('_IN_PROGRESS') && stack.StackStatus !== 'REVIEW_IN_PROGRESS';
    if (!busy) return stack;
    await sleep(POLL);
  }
}

async function describe(client: CloudFormationClient, stackName: string): Promise<Stack | undefined> {
  try {
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: stackName }));
    return Stacks?.[0];
  } catch (error) {
    if (error instanceof Error && error.message.includes('does not exist')) return undefined;
    throw error;
  }
}

/** The stack's events from a time on, oldest first. */
async function eventsSince(
  client: CloudFormationClient,
  stackName: string,
  since: Date,
): Promise<StackEvent[]> {
  const { StackEvents = [] } = await client.send(new DescribeStackEventsCommand({ StackName: stackName }));
  // The events have whole seconds.
  return StackEvents.filter(
    ({ Timestamp }) => (Timestamp?.getTime() ?? 0) >= since.getTime() - 1000,
  ).reverse();
}

async function failures(client: CloudFormationClient, stackName: string, since: Date): Promise<string[]> {
  return (await eventsSince(client, stackName, since))
    .filter(
      (event) =>
        event.ResourceStatus?.endsWith('_FAILED') &&
        // Cancellations are only a consequence of other failures.
        !/cancelled/i.test(event.ResourceStatusReason ?? ''),
    )
    .map((event) => {
      const reason = event.ResourceStatusReason ?? 'no reason given';
      return `${event.LogicalResourceId} (${event.ResourceType}): ${reason}`;
    });
}

function deploymentError(stackName: string, reasons: readonly string[], cause?: unknown): ProxytuneError {
  return new ProxytuneError('LocalCloudFailed', {
    what: `The stack ${stackName} could not be deployed into the local cloud`,
    given: reasons.join('; ') || 'no failed resource was reported',
    remedy: 'correct the resource that failed and deploy again',
    cause,
  });
}
