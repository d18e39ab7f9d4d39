/**
 * The permissions that each operation requires: AWS's action, resource and condition keys, as in the Service
 * Authorization Reference of Step Functions. SendTask operations are authorized on the state machine.
 */
import { type Call, type Needs, tagContext } from '../../iam/authorizer.ts';
import { isObject } from '../json.ts';
import { machineArn } from '../names.ts';
import type { Registry } from '../registry.ts';
import { executionOfToken } from '../tokens.ts';
import type { Request } from './request.ts';

export const STATES = 'states.amazonaws.com';

type Describe = (request: Request, registry: Registry) => Needs;

/**
 * The calls that Step Functions makes with the machine's role when a machine with a log is created
 * (https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html). None has a resource type.
 */
const LOG_DELIVERY = [
  ...['CreateLogDelivery', 'GetLogDelivery', 'UpdateLogDelivery', 'DeleteLogDelivery', 'ListLogDeliveries'],
  ...['PutResourcePolicy', 'DescribeResourcePolicies', 'DescribeLogGroups'],
].map((name): Call => ({ action: `logs:${name}`, resource: '*' }));

/** Returns what an operation requires; undefined for an operation that does not exist. */
export function needsOf(operation: string, request: Request, registry: Registry): Needs | undefined {
  return Object.hasOwn(NEEDS, operation) ? NEEDS[operation]?.(request, registry) : undefined;
}

/** Returns the calls for the log of a machine that is created or updated; none if it has no log. */
export function logDelivery(request: Request): readonly Call[] {
  const logging = request.get('loggingConfiguration');
  return isObject(logging) && (logging.level ?? 'OFF') !== 'OFF' ? LOG_DELIVERY : [];
}

const NEEDS: Readonly<Record<string, Describe>> = {
  CreateStateMachine: (request, { environment }) => {
    const source = machineArn(environment, textOf(request, 'name'));
    const tags = tagsOf(request);
    return passing(request, source, [
      { action: 'states:CreateStateMachine', resource: source, context: tagContext(tags) },
      ...(tags.length > 0
        ? [{ action: 'states:TagResource', resource: source, context: tagContext(tags) }]
        : []),
    ]);
  },
  UpdateStateMachine: (request, registry) => {
    const source = textOf(request, 'stateMachineArn');
    return passing(request, source, onMachine('UpdateStateMachine', source, registry));
  },
  ...each(
    ['DescribeStateMachine', 'DeleteStateMachine', 'StartExecution', 'ListExecutions'],
    (name) => (request, registry) => ({
      calls: onMachine(name, textOf(request, 'stateMachineArn'), registry),
    }),
  ),
  ...each(
    [
      ...['DescribeExecution', 'DescribeStateMachineForExecution', 'GetExecutionHistory'],
      ...['StopExecution', 'RedriveExecution'],
    ],
    (name) => (request) => ({
      calls: [{ action: `states:${name}`, resource: textOf(request, 'executionArn') }],
    }),
  ),
  ...each(['TagResource', 'UntagResource', 'ListTagsForResource'], (name) => (request, registry) => ({
    calls: onMachine(name, textOf(request, 'resourceArn'), registry),
  })),
  ...each(['ListStateMachines', 'ValidateStateMachineDefinition'], (name) => () => ({
    calls: [{ action: `states:${name}`, resource: '*' }],
  })),
  ...each(['SendTaskSuccess', 'SendTaskFailure', 'SendTaskHeartbeat'], (name) => (request, registry) => ({
    calls: onTask(name, textOf(request, 'taskToken'), registry),
  })),
};

function each(names: readonly string[], describe: (name: string) => Describe): Record<string, Describe> {
  return Object.fromEntries(names.map((name) => [name, describe(name)]));
}

function passing(request: Request, source: string, calls: readonly Call[]): Needs {
  const role = request.get('roleArn');
  // A malformed ARN is refused by the operation itself.
  if (typeof role !== 'string' || !role.startsWith('arn:')) return { calls };
  const pass = { action: 'iam:PassRole', resource: role, context: { 'iam:PassedToService': STATES } };
  return { calls: [...calls, pass], passes: { service: STATES, role, source } };
}

function onMachine(name: string, resource: string, registry: Registry): Call[] {
  const tags = Object.entries(registry.machines.get(resource)?.tags ?? {});
  const context = Object.fromEntries(tags.map(([key, value]) => [`aws:ResourceTag/${key}`, value]));
  return [{ action: `states:${name}`, resource, context }];
}

/** Nothing is asked for a token that is none: it names no resource, and the operation refuses it. */
function onTask(name: string, token: string, registry: Registry): Call[] {
  const execution = executionOfToken(token);
  if (execution === undefined) return [];
  const machine = execution.replace(':execution:', ':stateMachine:').split(':').slice(0, -1).join(':');
  return onMachine(name, machine, registry);
}

/** An empty text if the member is missing or no text, which the operation refuses. */
function textOf(request: Request, name: string): string {
  const value = request.get(name);
  return typeof value === 'string' ? value : '';
}

function tagsOf(request: Request): { key: string; value: string }[] {
  const tags = request.get('tags');
  return (Array.isArray(tags) ? tags : []).filter(isObject).map(({ key, value }) => ({
    key: String(key),
    value: String(value ?? ''),
  }));
}
