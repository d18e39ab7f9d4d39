/** Settings that the stack gives a lambda. */

/** @throws Error when the stack left it out: a fault of ours, never of the user */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`the environment variable ${name} is not set`);
  return value;
}
