import { expressionIn } from '../expression.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import {
  assign,
  checkShape,
  endFlag,
  type FieldCheck,
  list,
  numberOrExpression,
  queryLanguage,
  type Shape,
  template,
  text,
  textOrExpression,
} from './fields.ts';
import type { Findings } from './findings.ts';
import { catchList, retry } from './retry-catch.ts';

/** The longest Wait, timeout or heartbeat, in seconds (Amazon States Language). */
const LONGEST_SECONDS = 99_999_999;

const LAMBDA_INVOKE = /^arn:aws(-us-gov|-cn)?:states:::lambda:invoke(\.waitForTaskToken)?$/;

const resource: FieldCheck = (value, location, findings) => {
  if (typeof value === 'string' && LAMBDA_INVOKE.test(value)) return;
  findings.add(
    'UNSUPPORTED_RESOURCE',
    location,
    `supported are arn:aws:states:::lambda:invoke and arn:aws:states:::lambda:invoke.waitForTaskToken, got ${JSON.stringify(value)}`,
  );
};

/** Arguments of lambda:invoke. If they are one expression, `interpreter/task.ts` checks its result. */
const lambdaArguments: FieldCheck = (value, location, findings) => {
  if (typeof value === 'string' && expressionIn(value) !== undefined)
    return template(value, location, findings);
  checkShape(
    value,
    location,
    { required: { FunctionName: textOrExpression }, optional: { Payload: template } },
    'Arguments of lambda:invoke',
    findings,
  );
};

const timestamp: FieldCheck = (value, location, findings) => {
  textOrExpression(value, location, findings);
  if (typeof value === 'string' && expressionIn(value) === undefined && !isTimestamp(value)) {
    findings.invalid(location, `must be a timestamp like 2026-01-31T12:00:00Z, got ${JSON.stringify(value)}`);
  }
};

/** Checks for RFC 3339 with `T` and an offset, as Amazon States Language requires. */
export function isTimestamp(value: string): boolean {
  return (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value))
  );
}

const condition: FieldCheck = (value, location, findings) => {
  if (typeof value === 'boolean') return;
  if (typeof value === 'string' && expressionIn(value) !== undefined)
    return template(value, location, findings);
  findings.invalid(location, `must be true, false or a {% … %} expression, got ${JSON.stringify(value)}`);
};

const choiceRule: FieldCheck = (value, location, findings) => {
  const shape = {
    required: { Condition: condition, Next: text },
    optional: { Output: template, Assign: assign, Comment: text },
  };
  checkShape(value, location, shape, 'A choice rule', findings);
};

const items: FieldCheck = (value, location, findings) => {
  const valid = Array.isArray(value) || (typeof value === 'string' && expressionIn(value) !== undefined);
  if (!valid)
    findings.invalid(
      location,
      `must be an array or a {% … %} expression that returns one, got ${JSON.stringify(value)}`,
    );
  template(value, location, findings);
};

/** Blocks are checked by `validate.ts`, which knows their scope. */
const checkedSeparately: FieldCheck = () => {};

const anyState = { Type: text, Comment: text, QueryLanguage: queryLanguage };
const transition = { Next: text, End: endFlag };
const shaping = { Output: template, Assign: assign };
const guards = { Retry: retry, Catch: catchList };

const SHAPES: Readonly<Record<string, Shape>> = {
  Task: {
    required: { Resource: resource, Arguments: lambdaArguments },
    optional: {
      ...anyState,
      ...transition,
      ...shaping,
      ...guards,
      TimeoutSeconds: numberOrExpression(1, LONGEST_SECONDS),
      HeartbeatSeconds: numberOrExpression(1, LONGEST_SECONDS),
    },
  },
  Pass: { required: {}, optional: { ...anyState, ...transition, ...shaping } },
  Wait: {
    required: {},
    optional: {
      ...anyState,
      ...transition,
      ...shaping,
      Seconds: numberOrExpression(0, LONGEST_SECONDS),
      Timestamp: timestamp,
    },
  },
  Choice: { required: { Choices: list(choiceRule) }, optional: { ...anyState, ...shaping, Default: text } },
  Parallel: {
    required: { Branches: list(checkedSeparately) },
    optional: { ...anyState, ...transition, ...shaping, ...guards, Arguments: template },
  },
  Map: {
    required: { ItemProcessor: checkedSeparately },
    optional: {
      ...anyState,
      ...transition,
      ...shaping,
      ...guards,
      Items: items,
      ItemSelector: template,
      MaxConcurrency: numberOrExpression(0, LONGEST_SECONDS),
    },
  },
  Succeed: { required: {}, optional: { ...anyState, Output: template } },
  Fail: { required: {}, optional: { ...anyState, Error: textOrExpression, Cause: textOrExpression } },
};

/** Checks one state without its transitions and inner blocks. Returns it if it is an object of a known type. */
export function checkState(value: Json, location: string, findings: Findings): JsonObject | undefined {
  if (!isObject(value)) {
    findings.invalid(location, `A state must be an object, got ${JSON.stringify(value)}`);
    return undefined;
  }
  const shape =
    typeof value.Type === 'string' && Object.hasOwn(SHAPES, value.Type) ? SHAPES[value.Type] : undefined;
  if (!shape) {
    findings.invalid(
      `${location}/Type`,
      `must be one of ${Object.keys(SHAPES).join(', ')}, got ${JSON.stringify(value.Type)}`,
    );
    return undefined;
  }
  checkShape(value, location, shape, `A ${String(value.Type)} state`, findings);
  if (value.Type === 'Task') checkTaskTimes(value, location, findings);
  if (value.Type === 'Wait' && (value.Seconds === undefined) === (value.Timestamp === undefined)) {
    findings.invalid(location, 'A Wait state must have exactly one of Seconds and Timestamp');
  }
  return value;
}

function checkTaskTimes(state: JsonObject, location: string, findings: Findings): void {
  const { HeartbeatSeconds: heartbeat, TimeoutSeconds: timeout } = state;
  if (typeof heartbeat === 'number' && typeof timeout === 'number' && heartbeat >= timeout) {
    findings.invalid(
      `${location}/HeartbeatSeconds`,
      `must be less than TimeoutSeconds (${timeout}), got ${heartbeat}`,
    );
  }
}
