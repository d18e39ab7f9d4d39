import { isDeepStrictEqual } from 'node:util';
import { parseDefinition, validateDefinition } from '../definition/validate.ts';
import { variableReferences } from '../definition/variable-references.ts';
import { ApiError, validationError } from '../errors.ts';
import { isObject, type JsonObject } from '../json.ts';
import { checkArn, checkName, machineArn } from '../names.ts';
import type { Registry } from '../registry.ts';
import type { MachineRecord } from '../store.ts';
import type { Operation } from './operation.ts';
import type { Request } from './request.ts';

const MAX_DEFINITION = 1_048_576;
/** The settings of a machine, with the values that AWS was recorded to show where none were given. */
const DEFAULT_SETTINGS = {
  loggingConfiguration: { level: 'OFF', includeExecutionData: false },
  tracingConfiguration: { enabled: false },
  encryptionConfiguration: { type: 'AWS_OWNED_KEY' },
};
const NO_VERSIONS = 'Versions are not supported by the local Step Functions service';

/** Finds the machine that a request names. @throws ApiError InvalidArn or StateMachineDoesNotExist */
export function findMachine(request: Request, registry: Registry): MachineRecord {
  const arn = checkArn(request.text('stateMachineArn', 2000), 'stateMachine');
  const machine = registry.machines.get(arn);
  if (!machine) throw new ApiError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
  return machine;
}

const CreateStateMachine: Operation = (request, registry) => {
  const name = checkName(request.get('name'), 'A state machine');
  const definition = request.text('definition', MAX_DEFINITION);
  const roleArn = readRole(request.text('roleArn', 256));
  request.reject('publish', NO_VERSIONS);
  const type = request.optionalText('type', 20) ?? 'STANDARD';
  if (type !== 'STANDARD') {
    throw new ApiError(
      'StateMachineTypeNotSupported',
      `The local Step Functions service runs STANDARD state machines, got ${type}`,
    );
  }
  parseDefinition(definition);
  const requested = {
    definition,
    roleArn,
    settings: readSettings(request),
    tags: readTags(request.get('tags')),
  };
  const stateMachineArn = machineArn(registry.environment, name);
  const existing = registry.machines.get(stateMachineArn);
  if (existing) {
    // As in AWS, a creation can be repeated if it is identical; tags and role are not compared.
    const same =
      existing.definition === definition && isDeepStrictEqual(existing.settings, requested.settings);
    if (!same)
      throw new ApiError('StateMachineAlreadyExists', `State Machine Already Exists: '${stateMachineArn}'`);
    return { stateMachineArn, creationDate: existing.creationDate / 1000 };
  }
  const now = registry.clock.now();
  registry.putMachine({
    stateMachineArn,
    name,
    ...requested,
    creationDate: now,
    updateDate: now,
  });
  return { stateMachineArn, creationDate: now / 1000 };
};

const UpdateStateMachine: Operation = (request, registry) => {
  const machine = findMachine(request, registry);
  request.reject('publish', NO_VERSIONS);
  const definition = request.optionalText('definition', MAX_DEFINITION, 1);
  const role = request.optionalText('roleArn', 256, 1);
  const settings = readSettings(request);
  if (definition === undefined && role === undefined && Object.keys(settings).length === 0) {
    throw new ApiError(
      'MissingRequiredParameter',
      'Either the definition, the role ARN, the logging, the tracing or the encryption configuration is required',
    );
  }
  if (definition !== undefined) parseDefinition(definition);
  const requested: MachineRecord = {
    ...machine,
    ...(definition !== undefined && { definition }),
    ...(role !== undefined && { roleArn: readRole(role) }),
    settings: { ...machine.settings, ...settings },
  };
  // As recorded: an update that changes nothing makes no new revision.
  const revision = isDeepStrictEqual(requested, machine) ? {} : { revisionId: registry.newRevision() };
  const changed = { ...requested, ...revision, updateDate: registry.clock.now() };
  registry.putMachine(changed);
  return {
    updateDate: changed.updateDate / 1000,
    ...(changed.revisionId !== undefined && { revisionId: changed.revisionId }),
  };
};

const DescribeStateMachine: Operation = (request, registry) => {
  const machine = findMachine(request, registry);
  return {
    ...describe(machine),
    status: 'ACTIVE',
    type: 'STANDARD',
    creationDate: machine.creationDate / 1000,
  };
};

/** The fields that DescribeStateMachine and DescribeStateMachineForExecution have in common. */
export function describe({
  stateMachineArn,
  name,
  definition,
  roleArn,
  revisionId,
  settings,
}: MachineRecord): JsonObject {
  const references = variableReferences(definition);
  return {
    stateMachineArn,
    name,
    definition,
    roleArn,
    ...(revisionId !== undefined && { revisionId }),
    ...DEFAULT_SETTINGS,
    ...settings,
    ...(Object.keys(references).length > 0 && { variableReferences: references }),
  };
}

const ListStateMachines: Operation = (request, registry) => {
  const machines = [...registry.machines.values()].sort((a, b) => a.creationDate - b.creationDate);
  const { page, ...more } = request.page(machines);
  const stateMachines = page.map(({ stateMachineArn, name, creationDate }) => ({
    stateMachineArn,
    name,
    type: 'STANDARD',
    creationDate: creationDate / 1000,
  }));
  return { stateMachines, ...more };
};

const DeleteStateMachine: Operation = (request, registry) => {
  const machine = registry.machines.get(checkArn(request.text('stateMachineArn', 256), 'stateMachine'));
  // Deleting a machine that does not exist succeeds, as in AWS.
  if (machine) registry.deleteMachine(machine);
  return {};
};

const ValidateStateMachineDefinition: Operation = (request) => {
  const diagnostics = validateDefinition(request.text('definition', MAX_DEFINITION, 0));
  const most = (request.get('maxResults') as number | undefined) || 100;
  return {
    result: diagnostics.length === 0 ? 'OK' : 'FAIL',
    diagnostics: diagnostics.slice(0, most),
    truncated: diagnostics.length > most,
  };
};

const TagResource: Operation = (request, registry) => {
  const machine = findTagged(request, registry);
  registry.putMachine({ ...machine, tags: { ...machine.tags, ...readTags(request.get('tags')) } });
  return {};
};

const UntagResource: Operation = (request, registry) => {
  const machine = findTagged(request, registry);
  const keys = request.get('tagKeys');
  if (!Array.isArray(keys)) throw validationError("'tagKeys' must be a list of keys");
  registry.putMachine({
    ...machine,
    tags: Object.fromEntries(Object.entries(machine.tags).filter(([key]) => !keys.includes(key))),
  });
  return {};
};

const ListTagsForResource: Operation = (request, registry) => {
  const { tags } = findTagged(request, registry);
  return { tags: Object.entries(tags).map(([key, value]) => ({ key, value })) };
};

function findTagged(request: Request, registry: Registry): MachineRecord {
  const arn = request.text('resourceArn', 256);
  const machine = registry.machines.get(checkArn(arn, 'stateMachine'));
  if (!machine) throw new ApiError('ResourceNotFound', `Resource not found: '${arn}'`);
  return machine;
}

function readRole(roleArn: string): string {
  if (/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(roleArn)) return roleArn;
  throw new ApiError('InvalidArn', `Invalid Role Arn: '${roleArn}'`);
}

function readSettings(request: Request): JsonObject {
  const settings = Object.keys(DEFAULT_SETTINGS).map((name) => [name, request.get(name)] as const);
  for (const [name, value] of settings) {
    if (value !== undefined && !isObject(value))
      throw validationError(`'${name}' must be an object, got ${JSON.stringify(value)}`);
  }
  return Object.fromEntries(settings.filter(([, value]) => value !== undefined)) as JsonObject;
}

function readTags(tags: unknown): Record<string, string> {
  const list = tags ?? [];
  const valid = Array.isArray(list) && list.every((tag) => isObject(tag) && typeof tag.key === 'string');
  if (!valid) throw validationError(`'tags' must be a list of {key, value}, got ${JSON.stringify(tags)}`);
  return Object.fromEntries(
    (list as { key: string; value?: string }[]).map(({ key, value }) => [key, value ?? '']),
  );
}

/** Operations on state machines. */
export const machineOperations = {
  CreateStateMachine,
  UpdateStateMachine,
  DescribeStateMachine,
  ListStateMachines,
  DeleteStateMachine,
  ValidateStateMachineDefinition,
  TagResource,
  UntagResource,
  ListTagsForResource,
};
