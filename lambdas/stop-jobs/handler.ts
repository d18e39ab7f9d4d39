/**
 * Stops all runs and jobs of a stack when the stack is deleted, or when its first deployment fails and is rolled back:
 * everything else that could stop them is deleted with it. The stack waits until no job runs.
 */
import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda';
import { stopEverything } from '../../lib/aws/stop-everything.ts';
import { executionsContext, jobsContext } from '../shared/context.ts';
import { answer } from '../shared/custom-resource.ts';

/** For the last requests to SageMaker and the answer. */
const MARGIN_MS = 60_000;

interface Properties {
  readonly StateMachineArn: string;
  readonly JobPrefix: string;
}

export async function handler(
  event: CloudFormationCustomResourceEvent,
  lambda: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<void> {
  const context = { ...executionsContext(), ...jobsContext() };
  const deadline = Date.now() + lambda.getRemainingTimeInMillis() - MARGIN_MS;
  const { StateMachineArn: stateMachine, JobPrefix: jobPrefix } =
    event.ResourceProperties as unknown as Properties;
  await answer(
    event,
    async () => {
      // An update that replaces the state machine deletes the old one.
      const before = event.RequestType === 'Update' ? event.OldResourceProperties.StateMachineArn : undefined;
      if (before === undefined || before === stateMachine) return;
      await stopEverything(context, { stateMachine: before, jobPrefix, deadline });
    },
    () => stopEverything(context, { stateMachine, jobPrefix, all: true, deadline }),
  );
}
