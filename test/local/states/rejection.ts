import { validateDefinition } from '../../../lib/local/states/definition/validate.ts';
import { machine } from './harness.ts';

/** A title, the location and a part of the message that are reported, and the states that are rejected. */
export type Rejection = [title: string, location: string, message: string, states: Record<string, unknown>];

export function expectRejection(...[, location, message, states]: Rejection): void {
  expect(validateDefinition(machine(states))).toContainEqual({
    severity: 'ERROR',
    code: expect.any(String),
    location,
    message: expect.stringContaining(message),
  });
}
