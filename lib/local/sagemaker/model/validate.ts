/** Validates a request against the official API model and reports all violations in SageMaker's format. */
import { ServiceError, validationError } from '../errors.ts';
import { apiModel, type Shape, shapeNamed } from './shapes.ts';

type Violations = string[];

/**
 * Rejects a request that the API model does not allow.
 * SageMaker itself ignores unknown members; they are rejected here, because they are always a mistake.
 *
 * @throws ServiceError SerializationException if a value has the wrong JSON type
 * @throws ServiceError ValidationException for everything else, all violations in one message
 */
export function checkRequest(operation: string, request: unknown): void {
  const input = apiModel.operations[operation]?.input;
  if (!input)
    throw new ServiceError('UnknownOperationException', `Operation ${operation} is not supported here.`);
  const violations: Violations = [];
  checkValue(input, request, '', violations);
  if (violations.length === 0) return;
  const count = violations.length === 1 ? '1 validation error' : `${violations.length} validation errors`;
  throw validationError(`${count} detected: ${violations.join('; ')}`);
}

/** Keeps only the members of a response that its output shape has, so that no private field leaks. */
export function shapeResponse(operation: string, response: Record<string, unknown>): Record<string, unknown> {
  const output = apiModel.operations[operation]?.output;
  const members = output ? shapeNamed(output).members : undefined;
  return Object.fromEntries(
    Object.entries(response).filter(([name, value]) => members?.[name] !== undefined && value !== undefined),
  );
}

function checkValue(shapeName: string, value: unknown, path: string, violations: Violations): void {
  const shape = shapeNamed(shapeName);
  if (shape.type === 'structure') checkStructure(shape, asObject(value, path), path, violations);
  else if (shape.type === 'map') checkMap(shape, asObject(value, path), path, violations);
  else if (shape.type === 'list') checkList(shape, value, path, violations);
  else if (shape.type === 'string') checkString(shape, value, path, violations);
  else if (shape.type !== 'boolean') checkNumber(shape, value, path, violations);
  else if (typeof value !== 'boolean') throw wrongType(value, path, 'a boolean');
}

function checkStructure(
  shape: Shape,
  value: Record<string, unknown>,
  path: string,
  violations: Violations,
): void {
  const members = shape.members ?? {};
  for (const name of shape.required ?? []) {
    if (value[name] === undefined || value[name] === null) {
      violations.push(
        `Value null at '${below(path, name)}' failed to satisfy constraint: Member must not be null`,
      );
    }
  }
  for (const [name, inner] of Object.entries(value)) {
    const member = members[name];
    if (member === undefined) {
      const allowed = Object.keys(members).join(', ');
      violations.push(`Member '${name}' at '${path}' is unknown: Members must be among [${allowed}]`);
    } else if (inner !== undefined && inner !== null) {
      checkValue(member, inner, below(path, name), violations);
    }
  }
}

function checkMap(shape: Shape, value: Record<string, unknown>, path: string, violations: Violations): void {
  const entries = Object.entries(value);
  checkLength(shape, entries.length, JSON.stringify(value), path, violations);
  for (const [key, inner] of entries) {
    if (shape.key) checkValue(shape.key, key, `${path}.${key}.key`, violations);
    if (shape.value) checkValue(shape.value, inner, `${path}.${key}.member`, violations);
  }
}

function checkList(shape: Shape, value: unknown, path: string, violations: Violations): void {
  if (!Array.isArray(value)) throw wrongType(value, path, 'a list');
  checkLength(shape, value.length, JSON.stringify(value), path, violations);
  value.forEach((item, index) => {
    if (shape.member) checkValue(shape.member, item, `${path}.${index + 1}.member`, violations);
  });
}

function checkString(shape: Shape, value: unknown, path: string, violations: Violations): void {
  if (typeof value !== 'string') throw wrongType(value, path, 'a string');
  const addViolation = (constraint: string) => violations.push(failed(value, path, constraint));
  if (shape.enum && !shape.enum.includes(value)) {
    addViolation(`Member must satisfy enum value set: [${shape.enum.join(', ')}]`);
  }
  checkLength(shape, [...value].length, value, path, violations);
  if (shape.pattern && !anchored(shape.pattern).test(value)) {
    addViolation(`Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
}

function checkNumber(shape: Shape, value: unknown, path: string, violations: Violations): void {
  if (typeof value !== 'number') throw wrongType(value, path, 'a number');
  if ((shape.type === 'integer' || shape.type === 'long') && !Number.isInteger(value)) {
    throw wrongType(value, path, 'a whole number');
  }
  if (shape.min !== undefined && value < shape.min) {
    violations.push(failed(value, path, `Member must have value greater than or equal to ${shape.min}`));
  }
  if (shape.max !== undefined && value > shape.max) {
    violations.push(failed(value, path, `Member must have value less than or equal to ${shape.max}`));
  }
}

function checkLength(
  shape: Shape,
  length: number,
  value: string,
  path: string,
  violations: Violations,
): void {
  if (shape.min !== undefined && length < shape.min) {
    violations.push(failed(value, path, `Member must have length greater than or equal to ${shape.min}`));
  }
  if (shape.max !== undefined && length > shape.max) {
    violations.push(failed(value, path, `Member must have length less than or equal to ${shape.max}`));
  }
}

const compiled = new Map<string, RegExp>();

/**
 * Converts a pattern of the model from Java: it must match the complete value, and may use a class that JavaScript
 * lacks.
 */
export function anchored(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known) return known;
  const regex = new RegExp(`^(?:${pattern.replaceAll('\\p{Alnum}', 'a-zA-Z0-9')})$`, 'u');
  compiled.set(pattern, regex);
  return regex;
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongType(value, path, 'an object');
  return value as Record<string, unknown>;
}

function wrongType(value: unknown, path: string, allowed: string): ServiceError {
  const shownValue = JSON.stringify(value)?.slice(0, 80);
  return new ServiceError('SerializationException', `Value ${shownValue} at '${path}' must be ${allowed}.`);
}

function failed(value: string | number, path: string, constraint: string): string {
  const shown = String(value);
  const shownValue = shown.length > 300 ? `${shown.slice(0, 300)}…` : shown;
  return `Value '${shownValue}' at '${path}' failed to satisfy constraint: ${constraint}`;
}

/** Extends a path by a member, whose first letter SageMaker writes in lower case in messages. */
function below(path: string, name: string): string {
  const member = name.charAt(0).toLowerCase() + name.slice(1);
  return path ? `${path}.${member}` : member;
}
