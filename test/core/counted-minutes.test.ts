/** The minutes of large models: counted work at a share of a card's peak, replaced by what a card took. */
import { COUNTED, countedRates } from '../../lib/core/catalogue/counted.ts';
import { model, modelIds, recipeOf } from '../../lib/core/catalogue/models.ts';

const LARGE = modelIds().filter((id) => model(id).minutes.gpu !== undefined);

test('the work of every large model is counted, and no other', () => {
  expect(Object.keys(COUNTED).sort()).toEqual([...LARGE].sort());
  expect(LARGE).toHaveLength(7);
});

test.each(LARGE)('%s was counted at its standard recipe, which its minutes are of', (id) => {
  const row = model(id);
  const { size, batchSize, sampler, drawBatch } = recipeOf(row, 'standard');
  const counted = COUNTED[id];
  expect(counted).toMatchObject({ size, batch: batchSize });
  if (row.draw === undefined || sampler.kind !== 'diffusion') {
    expect(counted?.image.images).toBe(drawBatch);
    return;
  }
  expect(counted?.steps).toBe(sampler.steps);
  expect(row.draw).toMatchObject({ timedAt: size, trainingTimedAt: size, timedSteps: sampler.steps });
});

test.each(LARGE)('the minutes of %s are the counted ones where no card was measured', (id) => {
  const { gpu, measured, counted, perStep, perPicture, source } = model(id).minutes;
  expect(counted).toEqual(countedRates(id, gpu ?? ''));
  expect({ perStep, perPicture, source }).toEqual(measured ?? counted);
});

test('SDXL: 14.2 TFLOP a step at a third of 70 TFLOP/s, 338 an image at 0.6 of it, and its decoder in float32', () => {
  const { perStep, perPicture } = countedRates('sdxl', 'A10G') ?? { perStep: 0, perPicture: 0 };
  expect(perStep * 60).toBeCloseTo(14.19 / (0.32 * 70), 2);
  expect(perPicture * 60).toBeCloseTo(338.1 / (0.6 * 70) + 10.47 / (0.5 * 35), 1);
});

test('LlamaGen: a token of 16 images takes as long as reading 5.28 GB', () => {
  const { perPicture } = countedRates('llamagen-xl', 'A10G') ?? { perPicture: 0 };
  const token = 5.28 / (0.7 * 600);
  expect(perPicture * 60).toBeCloseTo((1024 * token) / 16 + 1.017 / (0.5 * 35), 2);
});

test('what a run took comes first', () => {
  const { minutes } = model('sdxl-miniature');
  expect(minutes).toMatchObject(minutes.measured ?? {});
  expect(minutes.measured?.perStep).toBeGreaterThan(0);
});

test('a model or card without numbers has no counted minutes', () => {
  expect(countedRates('sdxl-tiny', 'A10G')).toBeUndefined();
  expect(countedRates('sdxl', 'none')).toBeUndefined();
});
