import { compile, expressionIn } from '../expression.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';

/** The fields of a state that contain other states. */
const BLOCKS = ['Branches', 'ItemProcessor'];

/**
 * Finds the variables that each state of a valid definition reads, as DescribeStateMachine shows them.
 * @returns names in alphabetical order, by the name of the state; states that read none are left out
 */
export function variableReferences(definition: string): Record<string, string[]> {
  const states = new Map<string, JsonObject>();
  collectStates(JSON.parse(definition) as JsonObject, states);
  const assigned = new Set([...states.values()].flatMap(assignedNames));
  const references = [...states].map(([name, state]): [string, string[]] => {
    const own = Object.entries(state).filter(([field]) => !BLOCKS.includes(field));
    const read = new Set(own.flatMap(([, value]) => variablesIn(value)).filter((item) => assigned.has(item)));
    return [name, [...read].sort()];
  });
  return Object.fromEntries(references.filter(([, names]) => names.length > 0));
}

function collectStates(block: JsonObject, found: Map<string, JsonObject>): void {
  for (const [name, state] of Object.entries((block.States ?? {}) as Record<string, JsonObject>)) {
    found.set(name, state);
    for (const inner of [state.Branches ?? [], state.ItemProcessor ?? []].flat())
      collectStates(inner as JsonObject, found);
  }
}

/** The names in every Assign of a state: its own, and those of its catchers and choice rules. */
function assignedNames(state: JsonObject): string[] {
  const shaped = [state, ...[state.Catch ?? [], state.Choices ?? []].flat()];
  return shaped.flatMap((item) => Object.keys((item as JsonObject).Assign ?? {}));
}

/** The names of all variables in the expressions of a template, including functions and local ones. */
function variablesIn(template: Json): string[] {
  if (typeof template === 'string') {
    const text = expressionIn(template);
    return text === undefined ? [] : variablesOf(compile(text).ast());
  }
  if (Array.isArray(template)) return template.flatMap(variablesIn);
  return isObject(template) ? Object.values(template).flatMap(variablesIn) : [];
}

function variablesOf(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(variablesOf);
  if (typeof node !== 'object' || node === null) return [];
  const { type, value } = node as { type?: unknown; value?: unknown };
  const here = type === 'variable' && typeof value === 'string' ? [value] : [];
  return [...here, ...Object.values(node).flatMap(variablesOf)];
}
