import { ApiError } from '../errors.ts';
import { isObject, type Json, type JsonObject, parseJson, textBytes } from '../json.ts';
import { checkShape, type FieldCheck, queryLanguage, text, wholeNumber } from './fields.ts';
import { type Diagnostic, Findings } from './findings.ts';
import { checkState } from './state-shapes.ts';
import { checkTransitions } from './transitions.ts';
import type { Machine } from './types.ts';

const MAX_DEFINITION_BYTES = 1024 * 1024;

const elsewhere: FieldCheck = () => {};
const blockFields = { StartAt: text, States: elsewhere };

/** Finds every reason to refuse a definition; an empty list means that this service runs all of it. */
export function examineDefinition(definition: string): Diagnostic[] {
  const findings = new Findings();
  const machine = parseJson(definition);
  if (textBytes(definition) > MAX_DEFINITION_BYTES)
    findings.wrong('', 'the definition must be at most 1 MiB');
  else if (machine === undefined) findings.add('INVALID_JSON_DESCRIPTION', '', 'the definition is not JSON');
  else examineMachine(machine, findings);
  return findings.diagnostics;
}

/**
 * Reads a definition.
 * @throws ApiError InvalidDefinition naming every unsupported or wrong place in it
 */
export function parseDefinition(definition: string): Machine {
  const found = examineDefinition(definition);
  if (found.length > 0) {
    const reasons = found.map(({ code, message, location }) => `${code}: ${message} at ${location || '/'}`);
    throw new ApiError('InvalidDefinition', `Invalid State Machine Definition: '${reasons.join('; ')}'`);
  }
  return JSON.parse(definition) as Machine;
}

function examineMachine(machine: Json, findings: Findings): void {
  const shape = {
    required: blockFields,
    optional: {
      Comment: text,
      QueryLanguage: queryLanguage,
      TimeoutSeconds: wholeNumber(1, 99_999_999),
      Version: text,
    },
  };
  if (!checkShape(machine, '', shape, 'A state machine', findings)) return;
  examineStates(machine, '', machine.QueryLanguage === 'JSONata', new Set(), findings);
}

/** A Parallel branch, or a Map's processor. */
function examineBlock(
  block: Json,
  location: string,
  isProcessor: boolean,
  scope: Scope,
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
  examineStates(block, location, scope.jsonata, scope.outer, findings);
}

const inlineOnly: FieldCheck = (value, location, findings) => {
  const mode: FieldCheck = (given, at) => {
    if (given !== 'INLINE')
      findings.wrong(at, `must be "INLINE", the only Map mode supported here, got ${JSON.stringify(given)}`);
  };
  checkShape(value, location, { required: {}, optional: { Mode: mode } }, 'ProcessorConfig', findings);
};

/** What a state inherits from the blocks around it. */
interface Scope {
  /** Whether the machine's query language is JSONata, so that states need not say so. */
  readonly jsonata: boolean;
  /** Variables that the blocks around may have assigned. */
  readonly outer: ReadonlySet<string>;
}

function examineStates(
  block: JsonObject,
  location: string,
  jsonata: boolean,
  outer: ReadonlySet<string>,
  findings: Findings,
): void {
  const states = block.States;
  if (!isObject(states) || Object.keys(states).length === 0) {
    findings.wrong(`${location}/States`, 'must be an object with at least one state');
    return;
  }
  const own = assignedIn(states);
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
    const scope = { jsonata, outer: new Set([...outer, ...own]) };
    if (Array.isArray(state.Branches)) {
      for (const [index, branch] of state.Branches.entries())
        examineBlock(branch, `${at}/Branches/${index}`, false, scope, findings);
    }
    if (state.ItemProcessor !== undefined)
      examineBlock(state.ItemProcessor, `${at}/ItemProcessor`, true, scope, findings);
  }
  checkTransitions(block.StartAt, known, Object.keys(states), location, findings);
}

function checkStateName(name: string, location: string, findings: Findings): void {
  if (name.length < 1 || name.length > 80)
    findings.wrong(location, `a state's name must be 1 to 80 characters, got ${name.length}`);
  if (findings.stateNames.has(name))
    findings.add('DUPLICATE_STATE_NAME', location, 'a state of this name exists elsewhere in the machine');
  findings.stateNames.add(name);
}

/** Every Assign object of a state: its own, and those of its catchers and choice rules. */
function assignsOf(state: JsonObject): [string, JsonObject][] {
  const places: [string, Json | undefined][] = [['/Assign', state.Assign]];
  for (const list of ['Catch', 'Choices']) {
    const entries = state[list];
    if (!Array.isArray(entries)) continue;
    for (const [index, entry] of entries.entries())
      if (isObject(entry)) places.push([`/${list}/${index}/Assign`, entry.Assign]);
  }
  return places.filter((place): place is [string, JsonObject] => isObject(place[1]));
}

function assignedIn(states: JsonObject): string[] {
  return Object.values(states).flatMap((state) =>
    isObject(state) ? assignsOf(state).flatMap(([, names]) => Object.keys(names)) : [],
  );
}

/** A branch reads the variables around it but cannot set them; giving its own the same name would hide that. */
function checkShadowing(
  state: JsonObject,
  location: string,
  outer: ReadonlySet<string>,
  findings: Findings,
): void {
  for (const [place, names] of assignsOf(state)) {
    for (const name of Object.keys(names)) {
      if (outer.has(name))
        findings.wrong(
          `${location}${place}/${name}`,
          `$${name} is a variable of an outer scope, which a branch can read but not assign; choose another name`,
        );
    }
  }
}
