/** What is said of runs in which tiny models with random weights stand in for the models that were asked for. */
import { scaleOf } from '../../core/plan/make-plan.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { dollars, duration } from '../output.ts';

/** Before anything starts: what the pictures will be, and what the models themselves would take. */
export function standInLines(full: Plan): string[] {
  const { teacher, student } = full.models;
  const { minutes, usd } = full.estimate;
  return [
    `Tiny stand-ins with random weights take the place of ${teacher.title} and ${student.title} here:`,
    'the pictures will be noise; they show the road, not the method. The models themselves take about',
    `${duration(minutes * 60)} and ${dollars(usd)} in an AWS account (npx proxytune plan), or a GPU here (--full-size).`,
  ];
}

/** After the run: what its jobs would have cost. */
export function costLine(models: Plan['models'], usd: number): string {
  return scaleOf(models) === 'tiny'
    ? `On AWS the jobs of these stand-ins would have cost ${dollars(usd)}; here they cost nothing. What the models themselves cost: npx proxytune plan.`
    : `On AWS these jobs would have cost ${dollars(usd)}; here they cost nothing.`;
}
