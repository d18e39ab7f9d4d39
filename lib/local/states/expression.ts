import jsonata from 'jsonata';
import { QueryError } from './errors.ts';
import { stepFunctionsExtras } from './expression-functions.ts';
import { isObject, type Json } from './json.ts';
import { LimitedRegExp, LONGEST_MS } from './limited-reg-exp.ts';

/** The bindings of an expression: variables by name, `$states`, and the time. */
export interface Bindings {
  readonly variables: Readonly<Record<string, Json>>;
  /** `$states`. Members that do not apply in a field are left out, so that using them is an error. */
  readonly states: Readonly<Record<string, Json>>;
  /** Milliseconds since the epoch, for `$now` and `$millis`. */
  readonly now: number;
}

/** Limits that keep a runaway expression from blocking the service. */
const DEEPEST = 500;
/** A built-in function, which nothing can interrupt, takes about a second for as many. */
const MOST_ITEMS = 1_000_000;

/**
 * The hooks that JSONata calls before and after each node of the syntax tree. Version 2.0.6, which Step Functions runs,
 * has no limits of its own; JSONata's test suite limits expressions through the same hooks.
 */
const ENTRY = Symbol.for('jsonata.__evaluate_entry');
const EXIT = Symbol.for('jsonata.__evaluate_exit');

const clockPicture = compile('$fromMillis(millis, picture, timezone)');

/** The JSONata text inside `{% … %}`, or undefined for a plain string. */
export function expressionIn(text: string): string | undefined {
  return text.startsWith('{%') && text.endsWith('%}') && text.length >= 4
    ? text.slice(2, -2).trim()
    : undefined;
}

/**
 * Parses an expression.
 * @throws the parser's error, with `code`, `message` and `position`
 */
export function compile(text: string): jsonata.Expression {
  // JSONata keeps the class for all expressions, so each must name it. Its type is that of an instance by mistake.
  return jsonata(text, { RegexEngine: LimitedRegExp as unknown as RegExp });
}

/** Parses an expression for one evaluation, which fails as soon as it takes too long or nests too deeply. */
function compileLimited(text: string): jsonata.Expression {
  const expression = compile(text);
  const deadline = performance.now() + LONGEST_MS;
  let depth = 0;
  const enter = (): void => {
    if (++depth > DEEPEST) throw new Error(`The expression nests more than ${DEEPEST} deep`);
    if (performance.now() > deadline) throw new Error(`The expression took more than ${LONGEST_MS} ms`);
  };
  // The type declares names as strings, but JSONata looks up these two as symbols.
  const hook = (name: symbol, action: (...of: unknown[]) => void): void =>
    expression.assign(name as never, action);
  hook(ENTRY, enter);
  const exit = (_expression: unknown, _input: unknown, _environment: unknown, result: unknown): void => {
    depth--;
    if (Array.isArray(result) && result.length > MOST_ITEMS)
      throw new Error(`The expression makes an array of more than ${MOST_ITEMS} items`);
  };
  hook(EXIT, exit);
  return expression;
}

/**
 * Evaluates a field: replaces every string of the form `{% … %}` in it, at any depth, by its value.
 * @param location the field's path in its state, such as `/Arguments`, for messages
 * @throws QueryError if an expression fails, or returns nothing or something that is not JSON
 */
export async function evaluate(template: Json, location: string, bindings: Bindings): Promise<Json> {
  if (typeof template === 'string') {
    const text = expressionIn(template);
    return text === undefined ? template : evaluateText(text, location, bindings);
  }
  if (Array.isArray(template)) {
    const items: Json[] = [];
    for (const [index, item] of template.entries())
      items.push(await evaluate(item, `${location}/${index}`, bindings));
    return items;
  }
  if (isObject(template)) {
    const members: [string, Json][] = [];
    for (const [key, value] of Object.entries(template)) {
      members.push([key, await evaluate(value, `${location}/${key}`, bindings)]);
    }
    return Object.fromEntries(members);
  }
  return template;
}

async function evaluateText(text: string, location: string, bindings: Bindings): Promise<Json> {
  let value: unknown;
  try {
    // No input document: in Step Functions `$` is unbound at the top level, and `$states` has the data.
    value = await compileLimited(text).evaluate(undefined, {
      ...stepFunctionsExtras,
      ...clockFunctions(bindings.now),
      eval: rejectEval,
      ...bindings.variables,
      states: bindings.states,
    });
  } catch (error) {
    throw new QueryError(
      location,
      `The JSONata expression '${text}' specified for the field '${location.slice(1)}' threw an error during evaluation. ${messageOf(error)}`,
    );
  }
  if (value === undefined) {
    throw new QueryError(
      location,
      `The JSONata expression '${text}' specified for the field '${location.slice(1)}' returned nothing (undefined).`,
    );
  }
  if (!isJson(value)) {
    throw new QueryError(
      location,
      `The JSONata expression '${text}' specified for the field '${location.slice(1)}' returned an unsupported result type.`,
    );
  }
  // JSONata's arrays have hidden properties and share structure with their source; a copy has neither.
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** `$now` and `$millis` from the service's clock; the library's own read the system's clock. */
function clockFunctions(now: number): Record<string, (...args: never[]) => unknown> {
  return {
    millis: () => now,
    now: (picture?: string, timezone?: string) =>
      clockPicture.evaluate({ millis: now, ...(picture && { picture }), ...(timezone && { timezone }) }),
  };
}

function rejectEval(): never {
  throw new Error('$eval is not available in Step Functions; use $parse for JSON');
}

/** The code, such as T1006, and the message of an error of JSONata's. */
export function messageOf(error: unknown): string {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  if (message === undefined) return String(error);
  return code === undefined ? String(message) : `${code}: ${message}`;
}

function isJson(value: unknown): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== 'object' || value === undefined) return false;
  const flags = value as { _jsonata_lambda?: boolean; _jsonata_function?: boolean };
  return !flags._jsonata_lambda && !flags._jsonata_function && Object.values(value).every(isJson);
}
