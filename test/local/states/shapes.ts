/** Minimal states of each type, and definitions made of them. */
import { INVOKE, machine, WAIT_FOR_TOKEN } from './harness.ts';

export const done = { Type: 'Succeed' };
export const task = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  Type: 'Task',
  Resource: INVOKE,
  Arguments: { FunctionName: 'f' },
  End: true,
  ...more,
});
export const waiting = (more: Record<string, unknown> = {}): Record<string, unknown> =>
  task({ Resource: WAIT_FOR_TOKEN, ...more });
export const pass = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  Type: 'Pass',
  End: true,
  ...more,
});
export const parallel = (
  states: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  Type: 'Parallel',
  Branches: [{ StartAt: Object.keys(states)[0], States: states }],
  End: true,
  ...more,
});
export const map = (
  more: Record<string, unknown> = {},
  processor: Record<string, unknown> = {},
): Record<string, unknown> => ({
  Type: 'Map',
  ItemProcessor: { StartAt: 'I', States: { I: pass() }, ...processor },
  End: true,
  ...more,
});

/** A definition that ends at once, and one that runs for 100 seconds. */
export const PASSING = machine({ A: pass() });
export const WAITING = machine({ W: { Type: 'Wait', Seconds: 100, End: true } });
