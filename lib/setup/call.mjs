/** Sets up, then runs the product on Node 24 (the package `node`), the same major version as Lambda's. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { SetupError } from './messages.mjs';
import { NODE, ROOT, setUp } from './setup.mjs';

/**
 * @param {string} script - path from the root
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
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
 * Runs a script and forwards signals to it. A Ctrl-C also reaches the child from the terminal; it treats both as one.
 * If this process is killed, the child notices that the IPC channel is closed.
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
      // Local addresses must not go through a proxy.
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
