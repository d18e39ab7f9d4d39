// Entry point of `npm test`: sets everything up, then runs every tier of tests.
import { setUpAndCall } from '../lib/setup/call.mjs';

process.exitCode = await setUpAndCall('lib/setup/test.ts', process.argv.slice(2));
