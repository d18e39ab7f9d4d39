import { keys } from '../../lib/core/keys.ts';

const RUN = 'toy-0000';
const CLASS = { model: 'm', digest: 'd', prompt: 'a dog', size: 64, steps: 2, guidance: 3, pictures: 4 };

/** Every key and prefix, with the run as the first argument of each function. */
function everyKey(): readonly (readonly [string, string])[] {
  return Object.entries(keys).map(([name, key]) => {
    if (typeof key === 'string') return [name, key];
    const make = key as (...given: unknown[]) => string;
    return [name, name === 'classImages' ? make(CLASS) : make(RUN, 'teach', 1, 2)];
  });
}

test('no other key begins with that of the plan, which evaluate reads as a prefix', () => {
  const begun = everyKey().filter(([, key]) => key.startsWith(keys.plan(RUN)));
  expect(begun).toEqual([['plan', keys.plan(RUN)]]);
});

test('every prefix of a run ends in a slash, so that it matches no other name', () => {
  const inRun = everyKey().filter(([, key]) => key.startsWith(keys.run(RUN)));
  expect(inRun.length).toBeGreaterThan(15);
  for (const [name, key] of inRun) expect([name, key]).toEqual([name, expect.stringMatching(/(\/|\.\w+)$/)]);
});
