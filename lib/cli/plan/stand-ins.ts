/** Messages about runs in which tiny models with random weights stand in for the requested ones. */
import { scaleOf } from '../../core/plan/make-plan.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { dollars, duration } from '../output.ts';

/** The models that the plan trains: teacher, if it has one, and student. */
function trainedTitles({ models: { teacher, student } }: Plan): string[] {
  return [teacher, student].flatMap((row) => (row === undefined ? [] : [row.title]));
}

/** Before anything starts: what the images will be, and what the full-size models would take. */
export function standInLines(full: Plan): string[] {
  const { minutes, usd } = full.estimate;
  return [
    `Tiny stand-ins with random weights replace ${trainedTitles(full).join(' and ')} here:`,
    'the images will be noise: they show the pipeline, not the method. The full-size models take about',
    `${duration(minutes * 60)} and ${dollars(usd)} in an AWS account (npx proxytune plan), or a GPU here (--full-size).`,
  ];
}

/** After the run: what its jobs would have cost. */
export function costLine(models: Plan['models'], usd: number): string {
  return scaleOf(models) === 'tiny'
    ? `On AWS the jobs of these stand-ins would have cost ${dollars(usd)}; here they cost nothing. What the full-size models cost: npx proxytune plan.`
    : `On AWS these jobs would have cost ${dollars(usd)}; here they cost nothing.`;
}
