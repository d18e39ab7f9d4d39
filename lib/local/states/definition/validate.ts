import { ApiError } from '../errors.ts';
import { isObject, type Json, type JsonObject, parseJson, textBytes } from '../json.ts';
import { checkShape, type FieldCheck, integer, queryLanguage, text } from './fields.ts';
import { type Diagnostic, Findings } from './findings.ts';
import { checkState } from './state-shapes.ts';
import { checkTransitions } from './transitions.ts';
import type { Machine } from './types.ts';

const MAX_DEFINITION_BYTES = 1024 * 1024;

const checkedSeparately: FieldCheck = () => {};
const blockFields = { StartAt: text, States: checkedSeparately };

/** The only diagnostic without a location, as recorded. */
const NO_DEFINITION: Diagnostic = {
  severity: 'ERROR',
  code: 'SCHEMA_VALIDATION_FAILED',
  message: 'The definition must be a JSON object, got an empty text',
};

/** Finds every reason to reject a definition; an empty list means that this service can run all of it. */
export function validateDefinition(definition: string): Diagnostic[] {
  const findings = new Findings();
  const machine = parseJson(definition);
  if (definition === '') return [NO_DEFINITION];
  if (textBytes(definition) > MAX_DEFINITION_BYTES)
    findings.invalid('', 'the definition must be at most 1 MiB');
  else if (machine === undefined) findings.add('INVALID_JSON_DESCRIPTION', '', 'the definition is not JSON');
  else validateMachine(machine, findings);
  return findings.diagnostics;
}

/**
 * Parses a definition.
 * @throws ApiError InvalidDefinition that lists everything unsupported or invalid in it
 */
export function parseDefinition(definition: string): Machine {
  const diagnostics = validateDefinition(definition);
  if (diagnostics.length > 0) {
    const reasons = diagnostics.map(
      ({ code, message, location = '/' }) => `${code}: ${message} at ${location}`,
    );
    throw new ApiError('InvalidDefinition', `Invalid State Machine Definition: '${reasons.join('; ')}'`);
  }
  return JSON.parse(definition) as Machine;
}

function validateMachine(machine: Json, findings: Findings): void {
  const shape = {
    required: blockFields,
    optional: {
      Comment: text,
      QueryLanguage: queryLanguage,
      TimeoutSeconds: integer(1, 99_999_999),
      Version: text,
    },
  };
  if (!checkShape(machine, '', shape, 'A state machine', findings)) return;
  validateStates(machine, '', machine.QueryLanguage === 'JSONata', new Set(), findings);
}

/** Validates a Parallel branch, or a Map's processor. */
function validateBlock(
  block: Json,
  location: string,
  isProcessor: boolean,
  context: BlockContext,
  findings: Findings,
): void {
  const optional = isProcessor ? { Comment: text, ProcessorConfig: inlineOnly } : { Comment: text };
  if (
    !checkShape(
      block,
      location,
      { required: blockFields, optional },
      isProcessor ? 'A processor' : 'A branch',
      findings,
    )
  )
    return;
  validateStates(block, location, context.jsonata, context.outer, findings);
}

const inlineOnly: FieldCheck = (value, location, findings) => {
  const mode: FieldCheck = (requested, at) => {
    if (requested !== 'INLINE')
      findings.invalid(
        at,
        `must be "INLINE", the only Map mode supported here, got ${JSON.stringify(requested)}`,
      );
  };
  checkShape(value, location, { required: {}, optional: { Mode: mode } }, 'ProcessorConfig', findings);
};

/** The context that a state inherits from the enclosing blocks. */
interface BlockContext {
  /** True if the machine's query language is JSONata, so states need not set it. */
  readonly jsonata: boolean;
  /** Variables that the enclosing blocks may assign. */
  readonly outer: ReadonlySet<string>;
}

function validateStates(
  block: JsonObject,
  location: string,
  jsonata: boolean,
  outer: ReadonlySet<string>,
  findings: Findings,
): void {
  const states = block.States;
  if (!isObject(states) || Object.keys(states).length === 0) {
    findings.invalid(`${location}/States`, 'must be an object with at least one state');
    return;
  }
  const known: Record<string, JsonObject> = {};
  for (const [name, value] of Object.entries(states)) {
    const at = `${location}/States/${name}`;
    checkStateName(name, at, findings);
    const state = checkState(value, at, findings);
    if (!state) continue;
    known[name] = state;
    if (!jsonata && state.QueryLanguage === undefined) {
      findings.add(
        'UNSUPPORTED_FIELD',
        at,
        'is a JSONPath state; set QueryLanguage to "JSONata" on the machine or the state',
      );
    }
    checkShadowing(state, at, outer, findings);
    // A state's own catchers assign after its branches have ended, so these may use the same names.
    const around = assignedIn({ ...states, [name]: { ...state, Catch: [] } });
    const context = { jsonata, outer: new Set([...outer, ...around]) };
    if (Array.isArray(state.Branches)) {
      for (const [index, branch] of state.Branches.entries())
        validateBlock(branch, `${at}/Branches/${index}`, false, context, findings);
    }
    if (state.ItemProcessor !== undefined)
      validateBlock(state.ItemProcessor, `${at}/ItemProcessor`, true, context, findings);
  }
  checkTransitions(block.StartAt, known, Object.keys(states), location, findings);
}

function checkStateName(name: string, location: string, findings: Findings): void {
  if (name.length < 1 || name.length > 80)
    findings.invalid(location, `a state's name must be 1 to 80 characters, got ${name.length}`);
  if (findings.stateNames.has(name))
    findings.add('DUPLICATE_STATE_NAME', location, 'a state of this name exists elsewhere in the machine');
  findings.stateNames.add(name);
}

/** The Assign objects of a state, including those of its catchers and choice rules. */
function assignsOf(state: JsonObject): [string, JsonObject][] {
  const assigns: [string, Json | undefined][] = [['/Assign', state.Assign]];
  for (const list of ['Catch', 'Choices']) {
    const entries = state[list];
    if (!Array.isArray(entries)) continue;
    for (const [index, entry] of entries.entries())
      if (isObject(entry)) assigns.push([`/${list}/${index}/Assign`, entry.Assign]);
  }
  return assigns.filter((entry): entry is [string, JsonObject] => isObject(entry[1]));
}

function assignedIn(states: JsonObject): string[] {
  return Object.values(states).flatMap((state) =>
    isObject(state) ? assignsOf(state).flatMap(([, names]) => Object.keys(names)) : [],
  );
}

/** Reports variables with the name of an outer one, which a branch can read but not assign. */
function checkShadowing(
  state: JsonObject,
  location: string,
  outer: ReadonlySet<string>,
  findings: Findings,
): void {
  for (const [pointer, names] of assignsOf(state)) {
    for (const name of Object.keys(names)) {
      if (outer.has(name))
        findings.invalid(
          `${location}${pointer}/${name}`,
          `$${name} is a variable of an outer scope, which a branch can read but not assign; choose another name`,
        );
    }
  }
}
