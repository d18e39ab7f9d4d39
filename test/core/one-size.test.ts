/**
 * One size for a teacher's training, its validation images, its class images, its proxies and its samples, for every
 * pair and preset of the catalogue: as the jobs are given it, in hyperparameters and chunks. planned_sizes.json has the
 * same sizes for containers/tests/teacher/test_one_size.py, which checks what the networks read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { domainOf } from '../../lib/core/catalogue/domains.ts';
import { model, recipeOf, requestable } from '../../lib/core/catalogue/models.ts';
import { PRESETS, type Preset } from '../../lib/core/catalogue/recipes.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { modelOfRole, type Plan, stageOf, type TrainingPlan, transformOf } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import type { TransformStage } from '../../lib/core/words.ts';
import { plan } from './planning.ts';

/** Teacher to student to preset to side in pixels. */
const SIZES: Readonly<Record<string, Readonly<Record<string, Readonly<Record<Preset, number>>>>>> =
  JSON.parse(
    readFileSync(join(import.meta.dirname, '../../containers/tests/teacher/planned_sizes.json'), 'utf8'),
  );
const PAIRS = requestable('teacher').flatMap((teacher) =>
  requestable('student')
    .filter((student) => model(student).domain === model(teacher).domain)
    .map((student) => ({ teacher, student })),
);
const CASES = PAIRS.flatMap((pair) => PRESETS.map((preset) => ({ ...pair, preset })));

function planned(fields: { teacher: string; student: string; preset: Preset }, scale: 'full' | 'tiny'): Plan {
  const category = domainOf(model(fields.teacher).domain).categories?.[0] ?? 'dog';
  const digests = Object.fromEntries(
    [fields.teacher, model(fields.teacher).tiny].flatMap((id) => (id === null ? [] : [[id, '0a1b2c3d']])),
  );
  const advanced = { teach: { priorPictures: 4 } };
  return plan({ ...fields, category, advanced, maxUsd: 10_000 }, scale, { digests });
}

/** Sizes at which a teacher is trained and generates, by what asks for them. */
function teacherSizes(made: Plan) {
  const { hyperparameters: how, optionalChannels } = stageOf(made, 'teach') as TrainingPlan;
  if (how.stage !== 'teach') throw new Error('the stage teach has the hyperparameters of another');
  const shared = /\/(\d+)px-/.exec(optionalChannels?.['class-images'] ?? '');
  return {
    // The container trains, generates validation images and class images at this one.
    teach: [how.size],
    'class images of other runs': [Number(shared?.[1])],
    proxies: chunkSizes(made, 'synthesize'),
    samples: chunkSizes(made, 'sample-teacher'),
  };
}

function chunkSizes(made: Plan, stage: TransformStage): number[] {
  const sizes = new Set(chunksOf(made, stage).map(({ size }) => size));
  expect(transformOf(made, stage).size).toBe([...sizes][0]);
  return [...sizes];
}

const same = (size: number) => ({
  teach: [size],
  'class images of other runs': [size],
  proxies: [size],
  samples: [size],
});

test('the sizes are those of every pair of the catalogue', () => {
  const pairs = Object.entries(SIZES).flatMap(([teacher, students]) =>
    Object.keys(students).map((student) => ({ teacher, student })),
  );
  expect(pairs).toEqual(PAIRS);
});

test.each(CASES)('$teacher for $student, $preset', (fields) => {
  const expected = SIZES[fields.teacher]?.[fields.student]?.[fields.preset] ?? Number.NaN;
  const made = planned(fields, 'full');
  expect(teacherSizes(made)).toEqual(same(expected));
  const own = recipeOf(model(fields.student), fields.preset).size;
  const { hyperparameters: learning } = stageOf(made, 'learn') as TrainingPlan;
  expect(learning).toMatchObject({ size: own });
  expect(chunkSizes(made, 'sample-student')).toEqual([own]);
  // The student refuses smaller images than its own.
  expect(expected).toBeGreaterThanOrEqual(own);
  // Whatever the latents and the patches of a network, in pixels.
  expect(expected % 16).toBe(0);
});

test.each(CASES)('tiny models for $teacher and $student, $preset', (fields) => {
  const made = planned(fields, 'tiny');
  expect(teacherSizes(made)).toEqual(same(model(modelOfRole(made, 'teacher').id).size));
});

test.each(CASES)(
  'the price of the proxies of $teacher for $student, $preset, is that of their size',
  (fields) => {
    const drawing = transformOf(planned(fields, 'full'), 'synthesize');
    const { minutes, draw } = model(fields.teacher);
    const { timedAt = Number.NaN, timedSteps = Number.NaN } = draw ?? {};
    const steps = 'steps' in drawing.sampler ? drawing.sampler.steps : Number.NaN;
    const size = SIZES[fields.teacher]?.[fields.student]?.[fields.preset] ?? Number.NaN;
    const work = (size / timedAt) ** 2 * (steps / timedSteps);
    expect(drawing.minutes).toBeCloseTo(minutes.load + drawing.pictures * minutes.perPicture * work, 1);
  },
);

test('a student of larger images makes its teacher train at their size, and pay for it', () => {
  const of = (student: string) => planned({ teacher: 'flux-dev', student, preset: 'standard' }, 'full');
  const [small, large] = ['llamagen-xl', 'lumina-mgpt-7b'].map(of) as [Plan, Plan];
  const { load, perStep, perPicture } = model('flux-dev').minutes;
  const minutes = (size: number) =>
    // 1000 steps of a photo and a class image; 4 class images and 6 checkpoints of 8; minutes are those of 512 px.
    load + (1000 * 2 * perStep + (4 + 6 * 8) * perPicture) * (size / 512) ** 2;
  const encoders = (6 * 8 + 45) * 0.002 + 6 * 4 * 0.002;
  expect(stageOf(small, 'teach').minutes).toBeCloseTo(minutes(512) + encoders, 1);
  expect(stageOf(large, 'teach').minutes).toBeCloseTo(minutes(768) + encoders, 1);
});

test('the default limit of a request allows every standard plan, the most expensive by less than twice', () => {
  const prices = PAIRS.filter(({ teacher }) => model(teacher).domain === 'photographs').map(
    (pair) => plan({ ...pair, maxUsd: 10_000 }).estimate.usd,
  );
  const { maxUsd } = parseRequest('{"category": "dog", "consent": true}');
  expect(Math.max(...prices)).toBeLessThan(maxUsd);
  expect(Math.max(...prices)).toBeGreaterThan(maxUsd / 2);
});
