/** What the set-up says, on a terminal and elsewhere alike: one line a step, and clear words when it cannot go on. */

/** Ends the set-up with a reason and a remedy instead of a stack trace. */
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
export function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}
