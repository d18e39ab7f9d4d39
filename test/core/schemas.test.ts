import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOMAINS } from '../../lib/core/catalogue/domains.ts';
import { instance, instanceTypes } from '../../lib/core/catalogue/instances.ts';
import {
  atScale,
  measuring,
  model,
  modelIds,
  modelsOf,
  recipeOf,
  requestable,
} from '../../lib/core/catalogue/models.ts';
import { exportedFiles, exportedTypes } from '../../lib/core/schemas.ts';
import { ROLES } from '../../lib/core/words.ts';
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

test.each(Object.entries(exportedTypes()))('%s is what the schemas say (npm run schemas)', (file, text) => {
  expect(readFileSync(join(root, file), 'utf8')).toBe(text);
});

describe('the catalogue', () => {
  test('has for every requestable model a tiny one of the same family, role and domain, or brings its weights', () => {
    for (const role of ROLES)
      for (const id of requestable(role)) {
        const { family, domain, tiny } = model(id);
        const standIn = { id: tiny ?? id, role, family, domain, standInFor: tiny === null ? null : id };
        expect(atScale(id, 'tiny')).toMatchObject(standIn);
        if (tiny === null) expect(atScale(id, 'tiny').shipped).toMatch(/^containers\/models\//);
      }
  });

  test.each(DOMAINS)(
    'has teachers, students, and one of each measuring encoder of the domain %s',
    (domain) => {
      for (const role of ROLES) {
        const own = requestable(role).filter((id) => model(id).domain === domain);
        // People judged photographs for DreamSim, not drawings of 32 pixels.
        expect([role, own.length > 0]).toEqual([role, role !== 'dreamsim' || domain === 'photographs']);
      }
      for (const role of ['clip', 'dino'] as const) {
        expect(requestable(role).filter((id) => model(id).domain === domain)).toEqual([
          measuring(domain, role).id,
        ]);
      }
    },
  );

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

  test('names only GPUs that hold the jobs it says the memory of', () => {
    const stated = modelIds().flatMap((id) => (model(id).memory === undefined ? [] : [model(id)]));
    expect(stated.map(({ id }) => id)).toEqual(expect.arrayContaining(['sdxl', 'sd3-medium', 'flux-dev']));
    for (const { id, memory, instances } of stated)
      for (const kind of ['training', 'transform'] as const)
        for (const type of instances[kind])
          expect({ id, type, fits: instance(type).gpuGiB >= (memory?.[kind] ?? 0) }).toMatchObject({
            fits: true,
          });
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
