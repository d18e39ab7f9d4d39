import { expressionIn } from '../expression.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { checkTemplate } from './check-expressions.ts';
import type { Findings } from './findings.ts';

/** Checks the value of one field. */
export type FieldCheck = (value: Json, location: string, findings: Findings) => void;

/** The fields of a kind of object and their checks. */
export interface Shape {
  readonly required: Readonly<Record<string, FieldCheck>>;
  readonly optional: Readonly<Record<string, FieldCheck>>;
}

/** Fields of JSONPath states, with the replacement that the error message suggests. */
const JSONPATH_FIELDS: Readonly<Record<string, string>> = {
  InputPath: 'Arguments',
  Parameters: 'Arguments',
  ResultSelector: 'Output',
  ResultPath: 'Output or Assign',
  OutputPath: 'Output',
  Result: 'Output',
  ItemsPath: 'Items',
  SecondsPath: 'Seconds with an expression',
  TimestampPath: 'Timestamp with an expression',
  TimeoutSecondsPath: 'TimeoutSeconds with an expression',
  HeartbeatSecondsPath: 'HeartbeatSeconds with an expression',
  ErrorPath: 'Error with an expression',
  CausePath: 'Cause with an expression',
  MaxConcurrencyPath: 'MaxConcurrency with an expression',
};

/** Checks an object against its shape. Reports fields that are not in the shape instead of ignoring them. */
export function checkShape(
  value: Json,
  location: string,
  shape: Shape,
  what: string,
  findings: Findings,
): value is JsonObject {
  if (!isObject(value)) {
    findings.invalid(location, `${what} must be an object, got ${JSON.stringify(value)}`);
    return false;
  }
  for (const [name, check] of Object.entries(shape.required)) {
    const member = value[name];
    if (member === undefined) findings.invalid(location, `${what} must have ${name}`);
    else check(member, `${location}/${name}`, findings);
  }
  for (const [name, member] of Object.entries(value)) {
    // hasOwn: a field named `constructor` must not match the inherited one.
    if (Object.hasOwn(shape.required, name)) continue;
    const check = Object.hasOwn(shape.optional, name) ? shape.optional[name] : undefined;
    if (check) check(member, `${location}/${name}`, findings);
    else rejectField(name, `${location}/${name}`, shape, what, findings);
  }
  return true;
}

function rejectField(name: string, location: string, shape: Shape, what: string, findings: Findings): void {
  const instead = Object.hasOwn(JSONPATH_FIELDS, name) ? JSONPATH_FIELDS[name] : undefined;
  if (instead) {
    findings.add(
      'UNSUPPORTED_FIELD',
      location,
      `${name} is a JSONPath field; in a JSONata state use ${instead}`,
    );
    return;
  }
  const known = [...Object.keys(shape.required), ...Object.keys(shape.optional)].join(', ');
  findings.add('UNSUPPORTED_FIELD', location, `${what} has no field ${name} here; supported are ${known}`);
}

export const text: FieldCheck = (value, location, findings) => {
  if (typeof value !== 'string') findings.invalid(location, `must be a string, got ${JSON.stringify(value)}`);
};

/** A string, or an expression that returns one. */
export const textOrExpression: FieldCheck = (value, location, findings) => {
  text(value, location, findings);
  checkTemplate(value, location, findings);
};

/** Any JSON, expressions at any depth. */
export const template: FieldCheck = checkTemplate;

/** Rejects JSONPath, which this service does not support. */
export const queryLanguage: FieldCheck = (value, location, findings) => {
  if (value !== 'JSONata')
    findings.invalid(
      location,
      `must be "JSONata", the only query language supported here, got ${JSON.stringify(value)}`,
    );
};

export const endFlag: FieldCheck = (value, location, findings) => {
  if (typeof value !== 'boolean')
    findings.invalid(location, `must be true or false, got ${JSON.stringify(value)}`);
};

/** A whole number within bounds. */
export function integer(min: number, max: number): FieldCheck {
  return (value, location, findings) => {
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      findings.invalid(
        location,
        `must be a whole number from ${min} to ${max}, got ${JSON.stringify(value)}`,
      );
    }
  };
}

/** A whole number within bounds, or an expression, whose result is checked when it runs. */
export function numberOrExpression(min: number, max: number): FieldCheck {
  return (value, location, findings) => {
    if (typeof value === 'string' && expressionIn(value) !== undefined)
      checkTemplate(value, location, findings);
    else integer(min, max)(value, location, findings);
  };
}

/** Checks variable names: identifiers of at most 80 characters, except for the reserved `states`. */
export const assign: FieldCheck = (value, location, findings) => {
  if (!isObject(value)) {
    findings.invalid(location, `must be an object of variables, got ${JSON.stringify(value)}`);
    return;
  }
  for (const name of Object.keys(value)) {
    if (name === 'states')
      findings.invalid(`${location}/states`, '$states is reserved and cannot be assigned');
    else if (name.length > 80 || !/^[\p{ID_Start}_][\p{ID_Continue}]*$/u.test(name)) {
      findings.invalid(
        `${location}/${name}`,
        `'${name}' is not a variable name (letters, digits and _, at most 80)`,
      );
    }
  }
  checkTemplate(value, location, findings);
};

/** A list with at least `fewest` elements, each checked by `check`. */
export function list(check: FieldCheck, fewest: 0 | 1 = 1): FieldCheck {
  return (value, location, findings) => {
    if (!Array.isArray(value) || value.length < fewest) {
      const least = fewest === 0 ? '' : ' with at least one element';
      findings.invalid(location, `must be a list${least}, got ${JSON.stringify(value)}`);
      return;
    }
    for (const [index, item] of value.entries()) check(item, `${location}/${index}`, findings);
  };
}
