/** `npm run demo`: the method on a drawn subject, with the small models of the repository. */
import { join } from 'node:path';
import type { Plan } from '../../core/plan/plan.ts';
import type { Output } from '../output.ts';
import { type CloudOptions, cloudFlags, DEFAULT_DATA } from '../session.ts';
import { planOf, proxiesLines } from './plan.ts';
import { runCommand } from './run.ts';

export const EXAMPLE = join(import.meta.dirname, '../../../examples/miniature');

export async function demoCommand(options: CloudOptions, output: Output): Promise<number> {
  const plan = planOf(EXAMPLE, { local: true });
  for (const line of introduction(plan)) output.say(line);
  const next = (runId: string): string => nextStep(plan, runId, options.data);
  // Whoever calls it twice wants to see it twice; here it costs nothing.
  return runCommand(EXAMPLE, { ...options, local: true, fields: { again: true }, next }, output);
}

/** An introduction for people who run it for the first time. */
export function introduction(plan: Plan): string[] {
  return [
    `Five photos of a ${plan.category} go in; a report comes out. Everything runs on this machine: the same state`,
    'machine, lambdas and job code as in an AWS account.',
    ...(plan.world.note === null ? [] : [plan.world.note]),
    ...proxiesLines(plan).map((line) => `${line}.`),
    'Those teach the student to put the subject where no photo shows it: the photos show two contexts only.',
    // 5.5 to 6.5 measured, set-up not counted.
    'It takes about three and a half minutes on two cores.',
    '',
  ];
}

/** A prompt of the user's own, in one of the contexts that no photo shows. */
export function nextStep(plan: Plan, runId: string, data = DEFAULT_DATA): string {
  const prompt = `a photo of a {token} ${plan.category} at sunset`;
  return `Your next step: npx proxytune generate ${runId} "${prompt}" -n 4${cloudFlags({ data })}`;
}
