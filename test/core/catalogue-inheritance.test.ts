import data from '../../lib/core/catalogue/data/models.json' with { type: 'json' };
import { resolveExtends } from '../../lib/core/catalogue/inheritance.ts';
import { model, modelIds } from '../../lib/core/catalogue/models.ts';

describe('an entry with extends', () => {
  test('has what it does not say itself from the other one, field by field', () => {
    const standard = { steps: 100, sampler: { kind: 'diffusion', steps: 25 }, files: ['a', 'b'] };
    const resolved = resolveExtends('recipes', {
      best: { extends: 'draft', steps: 200 },
      draft: { extends: 'standard', sampler: { steps: 10 }, files: ['c'] },
      standard,
    });
    expect(resolved).toEqual({
      best: { steps: 200, sampler: { kind: 'diffusion', steps: 10 }, files: ['c'] },
      draft: { steps: 100, sampler: { kind: 'diffusion', steps: 10 }, files: ['c'] },
      standard,
    });
    expect(Object.keys(resolved)).toEqual(['best', 'draft', 'standard']);
  });

  test('of an unknown one is refused by both names', () => {
    expect(() => resolveExtends('models.json', { 'a-tiny': { extends: 'b-tiny' } })).toThrow(
      'models.json: a-tiny extends b-tiny, which does not exist',
    );
  });

  test.each([
    [{ a: { extends: 'a' } }, 'models.json: a extends a'],
    [{ a: { extends: 'b' }, b: { extends: 'c' }, c: { extends: 'a' } }, 'a extends b extends c extends a'],
  ])('of itself is refused with the whole circle: %j', (entries, circle) => {
    expect(() => resolveExtends('models.json', entries)).toThrow(circle);
  });

  test('is an object', () => {
    expect(() => resolveExtends('models.json', { a: ['extends'] })).toThrow(
      'models.json: a is not an object',
    );
  });
});

describe('the rows of models.json', () => {
  test('inherit whole recipes from other rows, which recipes that extend those follow', () => {
    expect(data['flux-dev-tiny']).toMatchObject({
      extends: 'sd3-medium-tiny',
      recipes: { standard: { adapted: 'all' } },
    });
    expect(model('flux-dev-tiny').recipes.best).toEqual({
      ...model('sdxl-tiny').recipes.best,
      adapted: 'all',
    });
  });

  test('write no recipe out that differs from the standard one in a few fields', () => {
    const whole = modelIds().flatMap((id) => {
      const { recipes = {} } = data[id as keyof typeof data] as { recipes?: Record<string, object> };
      const written = Object.entries(recipes).filter(
        ([preset, recipe]) => preset !== 'standard' && !('extends' in recipe),
      );
      return written.map(([preset]) => `${id}: ${preset}`);
    });
    expect(whole).toEqual([]);
  });
});
