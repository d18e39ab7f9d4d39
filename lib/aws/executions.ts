/** Executions of the state machine: start, list, stop, and answer the task that waits under a token. */
import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  InvalidToken,
  paginateListExecutions,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';

export interface ExecutionsContext {
  readonly sfn: SFNClient;
}

/** Starts an execution. One that exists under this name with this input is left to run: a repeat starts nothing. */
export async function startExecution(
  { sfn }: ExecutionsContext,
  {
    stateMachine,
    name,
    input,
  }: { readonly stateMachine: string; readonly name: string; readonly input: object },
): Promise<void> {
  try {
    await sfn.send(
      new StartExecutionCommand({ stateMachineArn: stateMachine, name, input: JSON.stringify(input) }),
    );
  } catch (error) {
    if (!(error instanceof ExecutionAlreadyExists)) throw error;
  }
}

export interface RunningExecution {
  readonly name: string;
  readonly arn: string;
  readonly startedAt: Date | undefined;
}

export async function listRunningExecutions(
  { sfn }: ExecutionsContext,
  stateMachine: string,
): Promise<RunningExecution[]> {
  const found: RunningExecution[] = [];
  const request = { stateMachineArn: stateMachine, statusFilter: 'RUNNING' as const };
  for await (const { executions = [] } of paginateListExecutions({ client: sfn }, request))
    found.push(
      ...executions.map(({ name = '', executionArn = '', startDate }) => ({
        name,
        arn: executionArn,
        startedAt: startDate,
      })),
    );
  return found;
}

/** The input of an execution, as text. */
export async function inputOf({ sfn }: ExecutionsContext, executionArn: string): Promise<string> {
  const { input = '{}' } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
  return input;
}

/** Aborts an execution; its record keeps the error and the cause. */
export async function stopExecution(
  { sfn }: ExecutionsContext,
  executionArn: string,
  { error, cause }: { readonly error: string; readonly cause: string },
): Promise<void> {
  await sfn.send(new StopExecutionCommand({ executionArn, error, cause }));
}

/** @returns whether a task waited under the token */
export function sendTaskSuccess(
  { sfn }: ExecutionsContext,
  taskToken: string,
  output: object,
): Promise<boolean> {
  return accepted(sfn.send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) })));
}

/** Step Functions keeps so many characters of a cause. */
const LONGEST_CAUSE = 32_768;

/** @returns whether a task waited under the token */
export function sendTaskFailure(
  { sfn }: ExecutionsContext,
  taskToken: string,
  { error, cause }: { readonly error: string; readonly cause: string },
): Promise<boolean> {
  const command = new SendTaskFailureCommand({ taskToken, error, cause: cause.slice(0, LONGEST_CAUSE) });
  return accepted(sfn.send(command));
}

/** @returns whether a task waited under the token */
export function sendTaskHeartbeat({ sfn }: ExecutionsContext, taskToken: string): Promise<boolean> {
  return accepted(sfn.send(new SendTaskHeartbeatCommand({ taskToken })));
}

/** Waits for the answer to be sent. @returns whether a task accepted it: an unknown token was answered or expired */
async function accepted(sending: Promise<unknown>): Promise<boolean> {
  try {
    await sending;
    return true;
  } catch (error) {
    const closed =
      error instanceof TaskTimedOut || error instanceof TaskDoesNotExist || error instanceof InvalidToken;
    if (!closed) throw error;
    return false;
  }
}
