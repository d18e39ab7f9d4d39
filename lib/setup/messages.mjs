/** Messages of the setup: one line per step, and an error with a remedy when it cannot continue. */

/** Ends the setup with a reason and a remedy instead of a stack trace. */
export class SetupError extends Error {
  /**
   * @param {string} what - what happened
   * @param {string} remedy - what to do
   */
  constructor(what, remedy) {
    super(`${what}\nWhat to do: ${remedy}`);
    this.name = 'SetupFailed';
  }
}

/** @param {string} text */
export function log(text) {
  process.stderr.write(`setup: ${text}\n`);
}
