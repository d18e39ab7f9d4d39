import { lambdaPlaces } from '../../lib/local/lambda-places.ts';

const GB = 1e9;

test.each([
  ['two cores', 2, 8 * GB, 2],
  ['one core', 1, 8 * GB, 2],
  ['many cores', 64, 256 * GB, 8],
  ['many cores with little memory', 16, 6 * GB, 2],
  ['eight cores and enough memory', 6, 16 * GB, 6],
])('places of a machine with %s', (_, cores, memory, places) => {
  expect(lambdaPlaces(cores, memory)).toBe(places);
});

test('environments fit into less than 3 GB on any machine', () => {
  for (const memory of [4, 16, 1000]) expect((2 * lambdaPlaces(999, memory * GB) + 8) * 0.11).toBeLessThan(3);
});
