import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  atScale,
  instance,
  instanceTypes,
  model,
  modelIds,
  modelsOf,
  recipeOf,
  requestable,
} from '../../lib/core/catalogue.ts';
import { exportedFiles } from '../../lib/core/schemas.ts';
import { shapeNamed } from '../../lib/local/sagemaker/model/shapes.ts';

const root = join(import.meta.dirname, '../..');

describe('the exported schemas', () => {
  test.each(Object.entries(exportedFiles()))(
    '%s is what the code says (npm run schemas)',
    (file, content) => {
      expect(JSON.parse(readFileSync(join(root, file), 'utf8'))).toEqual(JSON.parse(JSON.stringify(content)));
    },
  );
});

describe('the catalogue', () => {
  test('has for every requestable model a tiny one of the same family and role', () => {
    for (const role of ['teacher', 'student', 'clip', 'dino'] as const)
      for (const id of requestable(role)) {
        const tiny = atScale(id, 'tiny');
        expect(tiny).toMatchObject({ role, family: model(id).family, standInFor: id });
      }
  });

  test('has a recipe for every preset of everything that is tuned', () => {
    for (const row of [...modelsOf('teacher'), ...modelsOf('student')])
      for (const preset of ['draft', 'standard', 'best'] as const)
        expect(recipeOf(row, preset).steps).toBeGreaterThan(0);
  });

  test('names only instance types it knows, each offered for the job it is named for', () => {
    for (const row of modelIds().map(model))
      for (const kind of ['training', 'transform'] as const)
        for (const type of row.instances[kind])
          expect({ type, offered: instance(type)[kind] }).toEqual({ type, offered: true });
  });

  test('says where every number of minutes comes from', () => {
    expect(modelIds().filter((id) => model(id).minutes.source.length < 10)).toEqual([]);
  });

  test('names the nearest model for one that it lacks', () => {
    expect(() => model('sdxxl')).toThrow('did you mean sdxl?');
  });

  test.each([
    ['training', 'TrainingInstanceType'],
    ['transform', 'TransformInstanceType'],
  ] as const)('offers for %s only what the API model names as %s', (kind, shape) => {
    const offered = instanceTypes().filter((type) => instance(type)[kind]);
    expect(offered.length).toBeGreaterThan(5);
    const known = shapeNamed(shape).enum ?? [];
    expect(offered.filter((type) => !known.includes(type))).toEqual([]);
  });
});
