/** The plan charges for as many GPUs as the container starts processes: the same cases check both. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instance } from '../../lib/core/catalogue/instances.ts';
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
