/** Minimal states of each type, as a basis for tests of definitions. */
import { INVOKE, WAIT_FOR_TOKEN } from './harness.ts';

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
