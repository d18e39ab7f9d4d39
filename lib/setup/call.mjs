/** Sets up, then hands over to the product on Node 24 (the package `node`), the same major as Lambda's. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { NODE, ROOT, setUp } from './setup.mjs';
import { SetupError } from './words.mjs';

/**
 * @param {string} script - from the root
 * @param {string[]} args
 * @returns {Promise<number>} the exit code to end with
 */
export async function setUpAndCall(script, args) {
  try {
    setUp();
  } catch (error) {
    process.stderr.write(`${error instanceof SetupError ? error.message : error}\n`);
    return 1;
  }
  return call(script, args);
}

/**
 * Every wish to end is handed on; a Ctrl-C reaches the child by the terminal too, and it takes both for one. Should this
 * process be killed, the child sees the channel between them close.
 *
 * @param {string} script
 * @param {string[]} args
 * @returns {Promise<number>}
 */
function call(script, args) {
  const child = spawn(NODE, ['--disable-warning=ExperimentalWarning', join(ROOT, script), ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      PATH: `${dirname(NODE)}${delimiter}${join(ROOT, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
      // A proxy, where Node is told to use one, leads away from this machine.
      NO_PROXY: [process.env.NO_PROXY ?? process.env.no_proxy, '127.0.0.1,localhost'].filter(Boolean).join(),
    },
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
