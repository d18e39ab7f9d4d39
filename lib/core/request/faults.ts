/** The faults of a request in plain words, each with the field, what was given and what it takes. */
import type { z } from 'zod';
import { correction } from '../nearest.ts';

/** A fault with its field, what was given there, and what the field takes. */
export function faultWords(issue: z.core.$ZodIssue, data: unknown, schema: z.ZodType): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(fieldAt(schema, issue.path));
    return issue.keys
      .map((key) => `${[path, key].filter(Boolean).join('.')} is not known, ${correction(key, known)}`)
      .join('; ');
  }
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], data);
  const given = value === undefined ? 'missing' : `${JSON.stringify(value).slice(0, 80)}`;
  return `${path || 'the whole'}: ${given}: ${wanted(issue, value, fieldAt(schema, issue.path))}`;
}

/** The values that the field takes, in words that do not come from a parser. */
function wanted(issue: z.core.$ZodIssue, value: unknown, field: z.ZodType | undefined): string {
  // A message of our own says more than anything derived.
  if (!/^(Invalid|Too) /.test(issue.message)) return issue.message;
  if (value === undefined) return field?.description ?? issue.message;
  if (issue.code === 'too_small') return `must be ${issue.inclusive ? 'at least' : 'above'} ${issue.minimum}`;
  if (issue.code === 'too_big') return `must be ${issue.inclusive ? 'at most' : 'below'} ${issue.maximum}`;
  if (issue.code === 'invalid_value') {
    return `must be ${issue.values.map((each) => JSON.stringify(each)).join(' or ')}`;
  }
  if (issue.code === 'invalid_type') return `must be ${kindOf(issue.expected, field)}`;
  if (issue.code === 'invalid_format') return `must be ${FORMATS[issue.format] ?? issue.format}`;
  return issue.message;
}

const FORMATS: Readonly<Record<string, string>> = { email: 'an e-mail address' };
const KINDS: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  object: 'an object, {...}',
  array: 'a list, [...]',
};

function kindOf(expected: string, field: z.ZodType | undefined): string {
  const whole = (unwrap(field) as { def?: { format?: string } } | undefined)?.def?.format === 'safeint';
  return KINDS[whole ? 'int' : expected] ?? expected;
}

function knownKeys(object: z.ZodType | undefined): string[] {
  return Object.keys((unwrap(object) as z.ZodObject).shape).filter((key) => key !== '$schema');
}

/** The schema of a field, with its description. */
function fieldAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let at: z.ZodType | undefined = schema;
  for (const key of path)
    at = (unwrap(at) as z.ZodObject | undefined)?.shape?.[String(key)] as z.ZodType | undefined;
  return at;
}

function unwrap(schema: unknown): unknown {
  const inner = (schema as { def?: { innerType?: unknown } } | undefined)?.def?.innerType;
  return inner === undefined ? schema : unwrap(inner);
}
