/** The plan charges for as many GPUs as the container starts processes: the same cases check both. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instance, instanceTypes } from '../../lib/core/catalogue/instances.ts';
import { modelsOf, recipeOf } from '../../lib/core/catalogue/models.ts';
import { sharing } from '../../lib/core/plan/pricing.ts';

interface Case {
  readonly gpus: number;
  readonly batchSize: number;
  readonly processes: number;
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../containers/tests/contract/batch_sharing.json'), 'utf8'),
);

test.each(cases)('$gpus GPUs share a batch of $batchSize in $processes processes', (expected) => {
  const on = { ...instance('ml.g6e.12xlarge'), gpus: expected.gpus };
  expect(sharing(on, expected.batchSize)).toBe(expected.processes);
});

test.each(['teacher', 'student'] as const)('a recipe of a %s has a batch for several GPUs', (role) => {
  const several = instanceTypes()
    .map(instance)
    .filter(({ gpus, training }) => gpus > 1 && training);
  const shared = modelsOf(role)
    .filter((row) => row.tiny !== null)
    .filter((row) => several.some((on) => sharing(on, recipeOf(row, 'standard').batchSize) === on.gpus));
  expect(shared.map((row) => row.id)).toEqual(
    { teacher: ['sd3-medium'], student: ['llamagen-xl', 'lumina-mgpt-7b', 'janus-pro-1b'] }[role],
  );
});
