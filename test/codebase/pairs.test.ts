/** Every teacher and every student has walked the whole road, when the end-to-end tests are through. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { model, modelIds } from '../../lib/core/catalogue/models.ts';
import { PAIRS } from '../end-to-end/pairs.ts';

const folder = join(import.meta.dirname, '../end-to-end');

/** A row without a tiny stand-in is one, or small itself: the demo walks the road with that. */
test.each(['teacher', 'student'] as const)('each %s of the catalogue is in a run', (role) => {
  const rows = modelIds().filter((id) => model(id).role === role && model(id).tiny !== null);
  expect([...new Set(Object.values(PAIRS).map((pair) => pair[role]))].sort()).toEqual(rows.sort());
});

test.each(Object.keys(PAIRS))(
  'the pair "%s" is one that a run begins with and that its report names',
  (name) => {
    const code = readdirSync(folder)
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join();
    expect(code).toMatch(new RegExp(`(flagsOf\\(|\\.\\.\\.)PAIRS\\.${name}\\b`));
    expect(code).toMatch(new RegExp(`(expectPair|resume)\\([^;]*PAIRS\\.${name}\\)`));
  },
);
