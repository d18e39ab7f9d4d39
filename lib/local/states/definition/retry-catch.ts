import { isObject, type Json } from '../json.ts';
import { assign, checkShape, type FieldCheck, integer, list, template, text } from './fields.ts';
import type { Findings } from './findings.ts';

/** Names with the reserved prefix that Retry and Catch may use. */
const RESERVED_ERRORS = [
  'States.ALL',
  'States.TaskFailed',
  'States.Timeout',
  'States.HeartbeatTimeout',
  'States.QueryEvaluationError',
  'States.NoChoiceMatched',
  'States.Permissions',
  'States.DataLimitExceeded',
  // Accepted, but it ends the execution all the same.
  'States.Runtime',
];

const errorName: FieldCheck = (value, location, findings) => {
  if (typeof value !== 'string' || value === '') {
    findings.invalid(location, `must be an error name, got ${JSON.stringify(value)}`);
  } else if (value.startsWith('States.') && !RESERVED_ERRORS.includes(value)) {
    findings.invalid(location, `${value} is never reported here; known are ${RESERVED_ERRORS.join(', ')}`);
  }
};

/** States.ALL must be the only error of the last element; elements after it could never match. */
function checkOrder(value: Json, location: string, findings: Findings): void {
  if (!Array.isArray(value)) return;
  for (const [index, item] of value.entries()) {
    const errors = isObject(item) ? item.ErrorEquals : undefined;
    if (!Array.isArray(errors) || !errors.includes('States.ALL')) continue;
    if (errors.length > 1)
      findings.invalid(`${location}/${index}/ErrorEquals`, 'States.ALL must be the only error');
    if (index < value.length - 1)
      findings.invalid(`${location}/${index}`, 'States.ALL must be in the last element');
  }
}

const retrier: FieldCheck = (value, location, findings) => {
  const shape = {
    required: { ErrorEquals: list(errorName) },
    optional: {
      IntervalSeconds: integer(1, 99_999_999),
      MaxAttempts: integer(0, 99_999_999),
      BackoffRate: backoffRate,
      MaxDelaySeconds: integer(1, 31_622_400),
      JitterStrategy: jitterStrategy,
      Comment: text,
    },
  };
  if (!checkShape(value, location, shape, 'A retrier', findings)) return;
  const longest = value.MaxDelaySeconds;
  const first = value.IntervalSeconds ?? 1;
  if (typeof longest === 'number' && typeof first === 'number' && longest <= first) {
    findings.invalid(
      `${location}/MaxDelaySeconds`,
      `must be greater than IntervalSeconds (${first}), got ${longest}`,
    );
  }
};

const backoffRate: FieldCheck = (value, location, findings) => {
  if (typeof value !== 'number' || value < 1)
    findings.invalid(location, `must be a number of 1 or more, got ${JSON.stringify(value)}`);
};

const jitterStrategy: FieldCheck = (value, location, findings) => {
  if (value !== 'FULL' && value !== 'NONE')
    findings.invalid(location, `must be "FULL" or "NONE", got ${JSON.stringify(value)}`);
};

const catcher: FieldCheck = (value, location, findings) => {
  const shape = {
    required: { ErrorEquals: list(errorName), Next: text },
    optional: { Output: template, Assign: assign, Comment: text },
  };
  checkShape(value, location, shape, 'A catcher', findings);
};

/** The Retry field, which may be empty. */
export const retry: FieldCheck = (value, location, findings) => {
  list(retrier, 0)(value, location, findings);
  checkOrder(value, location, findings);
};

/** The Catch field, which may be empty. */
export const catchList: FieldCheck = (value, location, findings) => {
  list(catcher, 0)(value, location, findings);
  checkOrder(value, location, findings);
};
