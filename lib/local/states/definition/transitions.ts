import { isObject, type Json, type JsonObject } from '../json.ts';
import type { Findings } from './findings.ts';

/** The types with Next or End; the others branch (Choice) or end (Succeed, Fail). */
const HAS_TRANSITION = ['Task', 'Pass', 'Wait', 'Parallel', 'Map'];

/**
 * Checks the transitions of one block: every target exists in the block, every state is reachable, every state has a
 * successor or ends, and the block can end.
 * @param states the states of the block whose fields are valid
 * @param names all names in the block, including invalid states
 */
export function checkTransitions(
  startAt: Json | undefined,
  states: Readonly<Record<string, JsonObject>>,
  names: readonly string[],
  location: string,
  findings: Findings,
): void {
  const exists = (target: Json | undefined, at: string): boolean => {
    if (typeof target !== 'string') return false;
    if (names.includes(target)) return true;
    findings.add(
      'MISSING_TRANSITION_TARGET',
      at,
      `the state '${target}' does not exist here; the states are ${names.join(', ')}`,
    );
    return false;
  };
  for (const [name, state] of Object.entries(states)) {
    const at = `${location}/States/${name}`;
    for (const [pointer, target] of targetsOf(state)) exists(target, `${at}${pointer}`);
    if (HAS_TRANSITION.includes(String(state.Type))) checkNextOrEnd(state, at, findings);
  }
  if (!exists(startAt, `${location}/StartAt`)) return;
  const reached = reachableFrom(startAt as string, states);
  for (const name of names) {
    if (!reached.has(name))
      findings.add('UNREACHABLE_STATE', `${location}/States/${name}`, `no state leads to '${name}'`);
  }
  const valid = names.every((name) => states[name]);
  if (valid && ![...reached].some((name) => isEnd(states[name]))) {
    findings.add(
      'NO_TERMINAL_STATE',
      `${location}/States`,
      'no state ends: one must have End, or be of type Succeed or Fail',
    );
  }
}

function checkNextOrEnd(state: JsonObject, location: string, findings: Findings): void {
  const hasNext = state.Next !== undefined;
  const ends = state.End === true;
  if (hasNext && ends) findings.invalid(location, 'A state must have Next or End, not both');
  if (!hasNext && !ends)
    findings.add('MISSING_END_STATE', location, 'A state must have Next, or End set to true');
}

/** The states that a state can lead to, each with the field that names it. */
function targetsOf(state: JsonObject): [string, Json][] {
  const targets: [string, Json | undefined][] = [
    ['/Next', state.Next],
    ['/Default', state.Default],
  ];
  for (const list of ['Choices', 'Catch']) {
    const entries = state[list];
    if (!Array.isArray(entries)) continue;
    for (const [index, entry] of entries.entries())
      if (isObject(entry)) targets.push([`/${list}/${index}/Next`, entry.Next]);
  }
  return targets.filter((target): target is [string, Json] => target[1] !== undefined);
}

function reachableFrom(start: string, states: Readonly<Record<string, JsonObject>>): Set<string> {
  const reached = new Set([start]);
  for (const name of reached) {
    const state = states[name];
    if (!state) continue;
    // Iterating a Set includes elements that are added on the way.
    for (const [, target] of targetsOf(state)) if (typeof target === 'string') reached.add(target);
  }
  return reached;
}

function isEnd(state: JsonObject | undefined): boolean {
  return state !== undefined && (state.End === true || state.Type === 'Succeed' || state.Type === 'Fail');
}
