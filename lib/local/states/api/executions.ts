import { randomUUID } from 'node:crypto';
import { ApiError, validationError } from '../errors.ts';
import type { Execution } from '../execution.ts';
import type { HistoryEvent } from '../history.ts';
import { MAX_PAYLOAD_BYTES, parseJson, textBytes } from '../json.ts';
import { checkArn, checkName, executionArn } from '../names.ts';
import { redriveStatus } from '../redrive.ts';
import type { Registry } from '../registry.ts';
import type { ExecutionRecord } from '../store.ts';
import { describe, findMachine } from './machines.ts';
import type { Operation } from './operation.ts';
import type { Request } from './request.ts';

const STATUSES = ['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'];
const included = { included: true };

/** The time in which a redrive with the same client token is the same one (API reference). */
const SAME_REDRIVE_MS = 15 * 60 * 1000;

function findExecution(request: Request, registry: Registry): Execution {
  const arn = checkArn(request.text('executionArn', 256), 'execution');
  const execution = registry.executions.get(arn);
  if (!execution) throw new ApiError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
  return execution;
}

const StartExecution: Operation = (request, registry) => {
  const machine = findMachine(request, registry);
  const requested = request.get('name');
  const name = requested === undefined ? randomUUID() : checkName(requested, 'An execution');
  const input = readInput(request);
  const known = registry.executions.get(executionArn(machine.stateMachineArn, name));
  if (known) {
    // Repeating a start while the execution runs is idempotent; the name of an ended execution stays in use.
    const { status, input: before } = known.record;
    if (status !== 'RUNNING' || before !== input) {
      throw new ApiError(
        'ExecutionAlreadyExists',
        `Execution Already Exists: '${known.record.executionArn}'`,
      );
    }
    return started(known);
  }
  return started(registry.startExecution(machine, name, input));
};

function started({ record }: Execution): { executionArn: string; startDate: number } {
  return { executionArn: record.executionArn, startDate: record.startDate / 1000 };
}

function readInput(request: Request): string {
  const input = request.optionalText('input', MAX_PAYLOAD_BYTES) ?? '{}';
  if (textBytes(input) > MAX_PAYLOAD_BYTES)
    throw validationError(`'input' must be at most ${MAX_PAYLOAD_BYTES} bytes of UTF-8`);
  if (parseJson(input) === undefined)
    throw new ApiError(
      'InvalidExecutionInput',
      `Invalid State Machine Execution Input: '${input.slice(0, 200)}' is not JSON`,
    );
  return input;
}

/** Only Express machines run synchronously, and this service has none. */
const StartSyncExecution: Operation = (request, registry) => {
  findMachine(request, registry);
  throw new ApiError(
    'StateMachineTypeNotSupported',
    'This operation is not supported by this type of state machine',
  );
};

const StopExecution: Operation = (request, registry) => {
  const execution = findExecution(request, registry);
  const error = request.optionalText('error', 256);
  const cause = request.optionalText('cause', 32_768);
  execution.end('ABORTED', { ...(error !== undefined && { error }), ...(cause !== undefined && { cause }) });
  return { stopDate: (execution.record.stopDate ?? registry.clock.now()) / 1000 };
};

const DescribeExecution: Operation = (request, registry) => {
  const { record } = findExecution(request, registry);
  const {
    executionArn: arn,
    machine,
    name,
    status,
    startDate,
    stopDate,
    input,
    output,
    error,
    cause,
  } = record;
  return {
    executionArn: arn,
    stateMachineArn: machine.stateMachineArn,
    name,
    status,
    startDate: startDate / 1000,
    ...(stopDate !== undefined && { stopDate: stopDate / 1000 }),
    input,
    inputDetails: included,
    ...(output !== undefined && { output, outputDetails: included }),
    ...(error !== undefined && { error }),
    ...(cause !== undefined && { cause }),
    ...redrivesOf(record),
    ...redriveStatus(record, registry.clock.now()),
  };
};

function redrivesOf({ redrive }: ExecutionRecord): { redriveCount: number; redriveDate?: number } {
  return {
    redriveCount: redrive?.count ?? 0,
    ...(redrive && { redriveDate: redrive.date / 1000 }),
  };
}

const RedriveExecution: Operation = (request, registry) => {
  const execution = findExecution(request, registry);
  const clientToken = request.optionalText('clientToken', 64, 1);
  const now = registry.clock.now();
  const last = execution.record.redrive;
  const repeated = clientToken !== undefined && clientToken === last?.clientToken;
  if (last && repeated && now - last.date <= SAME_REDRIVE_MS) return { redriveDate: last.date / 1000 };
  const status = redriveStatus(execution.record, now);
  if (status.redriveStatus === 'NOT_REDRIVABLE')
    throw new ApiError('ExecutionNotRedrivable', status.redriveStatusReason);
  execution.redrive(clientToken);
  return { redriveDate: now / 1000 };
};

const DescribeStateMachineForExecution: Operation = (request, registry) => {
  const { machine } = findExecution(request, registry).record;
  return { ...describe(machine), updateDate: machine.updateDate / 1000 };
};

const ListExecutions: Operation = (request, registry) => {
  const machine = findMachine(request, registry);
  const filter = request.optionalText('statusFilter', 20);
  if (filter !== undefined && !STATUSES.includes(filter))
    throw validationError(`'statusFilter' must be one of ${STATUSES.join(', ')}, got '${filter}'`);
  const newestFirst = registry
    .executionsOf(machine.stateMachineArn)
    .map(({ record }) => record)
    .filter(({ status }) => filter === undefined || status === filter)
    .sort((a, b) => b.startDate - a.startDate);
  const { page, ...more } = request.page(newestFirst);
  const executions = page.map((record) => ({
    executionArn: record.executionArn,
    stateMachineArn: machine.stateMachineArn,
    name: record.name,
    status: record.status,
    startDate: record.startDate / 1000,
    ...(record.stopDate !== undefined && { stopDate: record.stopDate / 1000 }),
    ...redrivesOf(record),
  }));
  return { executions, ...more };
};

const GetExecutionHistory: Operation = (request, registry) => {
  const execution = findExecution(request, registry);
  const events = request.flag('reverseOrder', false)
    ? [...execution.events].reverse()
    : [...execution.events];
  const { page, ...more } = request.page(events);
  const withData = request.flag('includeExecutionData', true);
  return { events: withData ? page : page.map(withoutData), ...more };
};

/** Removes execution data: inputs, outputs, parameters and variables. */
function withoutData(event: HistoryEvent): Record<string, unknown> {
  const data = ['input', 'output', 'parameters', 'assignedVariables'];
  const strip = (details: object): object =>
    Object.fromEntries(Object.entries(details).filter(([key]) => !data.includes(key)));
  return Object.fromEntries(
    Object.entries(event).map(([key, value]) => [
      key,
      key.endsWith('EventDetails') ? strip(value as object) : value,
    ]),
  );
}

/** Operations on executions. */
export const executionOperations = {
  StartExecution,
  StartSyncExecution,
  StopExecution,
  DescribeExecution,
  DescribeStateMachineForExecution,
  RedriveExecution,
  ListExecutions,
  GetExecutionHistory,
};
