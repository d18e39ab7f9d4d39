/** Every recipe of a full-size model says where its numbers come from, and names these very numbers. */
import { type Model, model, modelIds } from '../../lib/core/catalogue/models.ts';
import type { Preset, Recipe } from '../../lib/core/catalogue/recipes.ts';

type Case = readonly [string, Preset, Recipe, Model];

const CASES: Case[] = modelIds()
  .map(model)
  .filter(({ standInFor, domain }) => standInFor === null && domain === 'photographs')
  .flatMap((row) =>
    Object.entries(row.recipes).map(([preset, recipe]): Case => [row.id, preset as Preset, recipe, row]),
  );

test('there are three recipes of each of four teachers and three students', () => {
  expect(CASES).toHaveLength(3 * (4 + 3));
});

test.each(CASES)('%s, %s', (_, preset, { source, rank, steps, learningRate }) => {
  expect(source).toContain(`rank ${rank}`);
  expect(source).toContain(`${steps} steps`);
  if (preset === 'standard') {
    expect(source).toContain(learningRate.toExponential());
    expect(source).toMatch(/\bconstant\b.*\bwarm-up\b/);
  } else {
    expect(source).toMatch(/^as standard with .*\ban estimate, not measured$/);
  }
});

test.each(CASES)(
  '%s, %s: the learning rate and the schedule are those of the standard recipe',
  (_id, _preset, recipe, row) => {
    expect(recipe.learningRate).toBe(row.recipes.standard?.learningRate);
  },
);

test.each(CASES.filter(([, , , { draw }]) => draw !== undefined))(
  '%s, %s: the row says why a teacher has this size',
  (_id, _preset, { size }, { draw }) => {
    expect(draw?.source).toContain(`${size} px`);
  },
);
