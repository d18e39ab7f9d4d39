/** The end-to-end tests run the whole pipeline with every teacher and every student. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { model, modelIds } from '../../lib/core/catalogue/models.ts';
import { PAIRS } from '../end-to-end/pairs.ts';

const folder = join(import.meta.dirname, '../end-to-end');

/** A model without a tiny stand-in is one itself, or is small: the demo runs the pipeline with it. */
test.each(['teacher', 'student'] as const)('each %s of the catalogue is used in a run', (role) => {
  const rows = modelIds().filter((id) => model(id).role === role && model(id).tiny !== null);
  expect([...new Set(Object.values(PAIRS).map((pair) => pair[role]))].sort()).toEqual(rows.sort());
});

test.each(Object.keys(PAIRS))('a run starts with the pair "%s", and its report names it', (name) => {
  const code = readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join();
  expect(code).toMatch(new RegExp(`(flagsOf\\(|\\.\\.\\.)PAIRS\\.${name}\\b`));
  expect(code).toMatch(new RegExp(`(expectPair|resume)\\([^;]*PAIRS\\.${name}\\)`));
});
