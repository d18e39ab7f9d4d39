/** `npm run demo`: the whole road with the photos of examples/toy and the smallest sensible settings. */
import { join } from 'node:path';
import type { Output } from './output.ts';
import { runCommand } from './run.ts';
import type { CloudOptions } from './session.ts';

const EXAMPLE = join(import.meta.dirname, '../../examples/toy');

const NEXT = 'Your next step: npx proxytune run --local YOUR_PHOTOS --category "what it is" --consent';

export async function demoCommand(options: CloudOptions, output: Output): Promise<number> {
  output.say('Five photos of a toy go in; a report comes out. Everything runs on this machine:');
  output.say('the same state machine, lambdas and job code as in an AWS account, with tiny models.\n');
  return runCommand(EXAMPLE, { ...options, local: true, fields: {}, next: () => NEXT }, output);
}
