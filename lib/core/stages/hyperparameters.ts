/**
 * The hyperparameters of every training job, put together from the stages. SageMaker carries hyperparameters as strings only, at most 256 characters each;
 * the container parses every one by this schema and refuses what does not fit (`HyperparameterInvalid`).
 */
import { z } from 'zod';
import { curateHyperparameters } from './curate.ts';
import { evaluateHyperparameters } from './evaluate.ts';
import { learnHyperparameters } from './learn.ts';
import { synthesizeHyperparameters } from './synthesize.ts';
import { teachHyperparameters } from './teach/teach.ts';

const importHyperparameters = z.strictObject({
  stage: z.literal('import-model'),
  model: z.string().describe('Catalogue id of the model that is imported, for the log'),
});

const planned = [
  teachHyperparameters,
  synthesizeHyperparameters,
  curateHyperparameters,
  learnHyperparameters,
  evaluateHyperparameters,
] as const;

/** Those of a training job of any kind, the import of a base model included. */
export const jobHyperparameters = z.discriminatedUnion('stage', [...planned, importHyperparameters]);

export const hyperparameters = z
  .discriminatedUnion('stage', planned)
  .meta({ title: 'PlannedHyperparameters' });
export type Hyperparameters = z.infer<typeof hyperparameters>;

/** The strings SageMaker wants: numbers in decimal, lists as JSON. */
export function toStrings(parameters: Hyperparameters): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}
