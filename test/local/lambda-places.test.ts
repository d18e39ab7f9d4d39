import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IDLE_ENVIRONMENTS, lambdaPlaces } from '../../lib/local/lambda-places.ts';

const GB = 1e9;

test.each([
  ['two cores', 2, 8 * GB, 2],
  ['one core', 1, 8 * GB, 2],
  ['many cores', 64, 256 * GB, 4],
  ['many cores with little memory', 16, 4 * GB, 2],
  ['three cores and enough memory', 3, 16 * GB, 3],
])('places of a machine with %s', (_, cores, memory, places) => {
  expect(lambdaPlaces(cores, memory)).toBe(places);
});

test('environments need less than 2 GB on any machine, which leaves 1 GB to emulator and jobs', () => {
  for (const memory of [4, 16, 1000]) expect((2 * lambdaPlaces(999, memory * GB) + 4) * 0.13).toBeLessThan(2);
});

test('the emulator keeps as many idle environments as the memory is counted for', () => {
  const repair = join(import.meta.dirname, '../../lib/local/emulator/repairs/environments.py');
  const [, kept] = /^IDLE_ENVIRONMENTS = (\d+)$/m.exec(readFileSync(repair, 'utf8')) ?? [];
  expect(Number(kept)).toBe(IDLE_ENVIRONMENTS);
});
