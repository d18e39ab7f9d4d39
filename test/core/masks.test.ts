/** Masks in a plan: without the wish for them nothing changes; with it, which jobs get what, and what it costs. */
import { measuring, model } from '../../lib/core/catalogue/models.ts';
import { trainingJobRequest } from '../../lib/core/jobs/requests.ts';
import { keys } from '../../lib/core/keys.ts';
import { PHOTO_LIMITS } from '../../lib/core/photos/limits.ts';
import { modelsOfStage, type Plan, stageOf, type TrainingPlan } from '../../lib/core/plan/plan.ts';
import { plan } from './planning.ts';
import { CONTEXT } from './requesting.ts';

const SEGMENTER = 'clipseg-rd64-refined';
const training = (made: Plan, stage: 'teach' | 'curate' | 'learn') => stageOf(made, stage) as TrainingPlan;
const names = (made: Plan) => made.stages.map(({ stage }) => stage);

test('by default no job masks anything by itself', () => {
  const made = plan();
  expect(names(made)).not.toContain('curate');
  // The plan's segmenter is for MaSC alone.
  const withoutMasc = plan({}, 'full', { absent: ['siglip2-so400m-naflex'] });
  expect([made, withoutMasc].map(({ models }) => models.segmenter?.id)).toEqual([SEGMENTER, undefined]);
  for (const stage of ['teach', 'learn'] as const) {
    const { hyperparameters, channels } = training(made, stage);
    expect(
      Object.keys({ ...hyperparameters, ...channels }).filter((name) => /mask|background|segm/.test(name)),
    ).toEqual([]);
  }
});

test('automatic masks are those of photos in teach, of proxies in curate, and used by learn', () => {
  const made = plan({ masks: 'auto' });
  expect(names(made).slice(0, 4)).toEqual(['teach', 'synthesize', 'curate', 'learn']);
  expect(made.models.segmenter?.id).toBe(SEGMENTER);
  for (const stage of ['teach', 'curate'] as const) {
    expect(training(made, stage)).toMatchObject({
      hyperparameters: { mask_prompt: 'a dog' },
      channels: { segmenter: keys.model(SEGMENTER) },
    });
    expect(modelsOfStage(made, stage).map(({ id }) => id)).toContain(SEGMENTER);
  }
  expect(training(made, 'learn')).toMatchObject({
    hyperparameters: { background_weight: 0.5, curated: true },
    channels: { 'proxy-masks': 'intermediates/dog-0a1b2c3d/checkpoints/curate/masks/' },
  });
  // Where the curate job, whose checkpoint folder is kept, leaves them.
  const curate = trainingJobRequest(made, { run: made.runId, stage: 'curate', attempt: 1 }, CONTEXT);
  expect(keys.proxyMasks(made.runId).startsWith(keys.checkpoints(made.runId, 'curate'))).toBe(true);
  expect(curate.CheckpointConfig.S3Uri).toBe(`s3://bucket/${keys.checkpoints(made.runId, 'curate')}`);
});

test('a curation for masks alone keeps every proxy', () => {
  const made = plan({ masks: 'auto' });
  const none = { fidelity: null, prompt: null, duplicates: null, safety: null, adaptive: null };
  expect(made.curation).toMatchObject({ ...none, rounds: [1000] });
  expect(plan({ masks: 'auto', curation: true }).curation).toEqual(plan({ curation: true }).curation);
});

test('the segmenter is paid for by the images that it reads', () => {
  const { perPicture } = model(SEGMENTER).minutes;
  const [without, made] = [plan({ curation: true }), plan({ curation: true, masks: 'auto' })];
  const more = (stage: 'teach' | 'curate' | 'learn') =>
    training(made, stage).minutes - training(without, stage).minutes;
  // Half a step more, in which the untuned network predicts too.
  const steps = 1000 * model('sdxl').minutes.perStep;
  expect(more('teach')).toBeCloseTo(PHOTO_LIMITS.maxPhotos * perPicture + steps / 2, 1);
  expect(more('curate')).toBeCloseTo(1000 * perPicture, 1);
  expect(more('learn')).toBe(0);
  expect(made.estimate.usd).toBeGreaterThan(without.estimate.usd);
});

test('the weight of the proxies’ background is a setting', () => {
  const weighted = (masks: string) =>
    training(plan({ masks, advanced: { learn: { backgroundWeight: 0.1 } } }), 'learn').hyperparameters;
  expect(weighted('auto')).toMatchObject({ background_weight: 0.1 });
  expect(weighted('given')).not.toHaveProperty('background_weight');
  expect(() => plan({ advanced: { learn: { backgroundWeight: 1.1 } } })).toThrow(/backgroundWeight/);
});

test('each domain has its segmenter, and the tiny scale a stand-in', () => {
  expect(measuring('miniature', 'segmenter').id).toBe('clipseg-miniature');
  expect(plan({ masks: 'auto' }, 'tiny').models.segmenter?.id).toBe('clipseg-tiny');
});
