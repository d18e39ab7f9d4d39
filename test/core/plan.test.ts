import { model } from '../../lib/core/catalogue/models.ts';
import { chunk as chunkSchema } from '../../lib/core/contract/pictures.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { planSchema, stageOf, type TrainingPlan, transformOf } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { hyperparameters, toStrings } from '../../lib/core/stages/hyperparameters.ts';
import { TRANSFORM_STAGES } from '../../lib/core/words.ts';
import { context, plan, refusal } from './planning.ts';

describe('a plan', () => {
  test('fits its schema at every preset and scale', () => {
    for (const preset of ['draft', 'standard', 'best'])
      for (const scale of ['full', 'tiny'] as const) {
        const made = plan({ preset }, scale);
        expect(planSchema.parse(JSON.parse(JSON.stringify(made)))).toEqual(made);
      }
  });

  test('is the same for the same request', () => {
    expect(plan({ seed: 7 })).toEqual(plan({ seed: 7 }));
  });

  test('sums its stages', () => {
    const made = plan();
    const usd = made.stages.reduce((sum, stage) => sum + stage.usd, 0);
    expect(made.estimate.usd).toBeCloseTo(usd, 3);
    expect(made.estimate.usd).toBeGreaterThan(1);
    const [first = 0, second = 0] = made.stages
      .filter(({ stage }) => stage.startsWith('sample-'))
      .map(({ minutes }) => minutes);
    const all = made.stages.reduce((total, { minutes }) => total + minutes, 0);
    // Both draw their samples at once.
    expect(made.estimate.minutes).toBeCloseTo(all - Math.min(first, second), 3);
  });

  test('prices a stage by its minutes and the list price of its instance', () => {
    const teach = stageOf(plan(), 'teach');
    // ml.g5.2xlarge lists at 1.515 USD an hour; the recipe takes 8 + 1000 x 0.0106 minutes, and draws 8 pictures at 6 of
    // its steps. DINO reads these and up to 30 photos, CLIP the 4 in a context.
    expect(teach.usd).toBeCloseTo(((18.6 + 48 * 0.144 + (48 + 30) * 0.002 + 24 * 0.002) / 60) * 1.515, 4);
  });

  test('puts every stage on the instance type that the request names for it', () => {
    const instanceType = 'ml.g6e.2xlarge';
    const stages = ['teach', 'synthesize', 'learn', 'sample', 'evaluate'];
    const made = plan({
      maxUsd: 100,
      advanced: Object.fromEntries(stages.map((name) => [name, { instanceType }])),
    });
    expect(made.stages.map((stage) => stage.instanceType)).toEqual(Array(6).fill(instanceType));
    expect(stageOf(made, 'synthesize').usd).toBeGreaterThan(stageOf(plan(), 'synthesize').usd);
  });

  test('an instance type that is offered for no transform is refused', () => {
    const error = refusal(() => plan({ advanced: { sample: { instanceType: 'ml.p5.4xlarge' } } }));
    expect(error.name).toBe('RequestInvalid');
    expect(error.message).toContain('for no transform job. Given: ml.p5.4xlarge.');
  });

  test('only what the deployment offers is planned, so that AWS refuses nothing half-way', () => {
    const request = (fields: object = {}) =>
      parseRequest(JSON.stringify({ category: 'dog', consent: true, ...fields }));
    const offered = ['ml.g6e.xlarge', 'ml.g5.xlarge'];
    const made = makePlan(request(), { ...context, instanceTypes: offered });
    expect(made.stages.filter((stage) => !offered.includes(stage.instanceType))).toEqual([]);
    const expensive = request({ advanced: { teach: { instanceType: 'ml.g5.2xlarge' } } });
    expect(refusal(() => makePlan(expensive, { ...context, instanceTypes: offered })).message).toMatch(
      /This deployment may not start this instance type\. Given: ml\.g5\.2xlarge\. Allowed: ml\.g6e\.xlarge\./,
    );
    const none = refusal(() => makePlan(request(), { ...context, instanceTypes: ['ml.m5.large'] }));
    expect(none.message).toContain('This deployment offers no instance type for');
  });

  test('that costs more than maxUsd is refused before any money is spent', () => {
    const error = refusal(() => plan({ maxUsd: 1 }));
    expect(error.name).toBe('OverBudget');
    expect(error.message).toMatch(/Given: \d+\.\d\d USD\. Allowed: 1\.00 USD/);
  });

  test('takes overrides, and alpha follows rank so that the adapter keeps its scale', () => {
    const made = plan({ advanced: { teach: { rank: 64, steps: 7, spot: true }, sample: { prompts: 2 } } });
    const teach = stageOf(made, 'teach');
    expect(teach).toMatchObject({ spot: true, hyperparameters: { rank: 64, alpha: 64, steps: 7 } });
    expect(made.prompts.evaluation).toHaveLength(2);
  });

  test('refuses an instance type that SageMaker does not offer for the job', () => {
    expect(refusal(() => plan({ advanced: { teach: { instanceType: 'ml.nosuch' } } })).message).toContain(
      'ml.g5.2xlarge',
    );
  });

  test('says where tiny models stand in', () => {
    const made = plan({}, 'tiny');
    expect(made.models.teacher).toMatchObject({ id: 'sdxl-tiny', standInFor: 'sdxl' });
    expect(made.models.student).toMatchObject({ id: 'llamagen-tiny', standInFor: 'llamagen-xl' });
  });
});

describe('the token word', () => {
  test.each([
    'S*',
    'Ohwx',
    'sks1',
    '<new1>',
    '@sks',
    'ohwx zwx',
    'été',
    'download',
    'ab',
    'dog',
    'photo',
    'jungle',
    'kitchen',
    '',
  ])('%j is refused', (tokenWord) => {
    expect(refusal(() => plan({ tokenWord })).name).toBe('TokenWordUnusable');
  });

  test.each(['ohwx', 'sks', 'zwxkq'])('%j is taken', (tokenWord) => {
    expect(plan({ tokenWord }).prompts.proxy).toBe(`a ${tokenWord} dog`);
  });
});

describe('hyperparameters', () => {
  test.each(['teach', 'learn', 'evaluate'] as const)(
    'of %s are strings of at most 256 characters',
    (stage) => {
      const { hyperparameters: own } = stageOf(plan({ category: 'grey stuffed animal' }), stage) as never;
      for (const [key, value] of Object.entries(toStrings(hyperparameters.parse(own)))) {
        expect(typeof value).toBe('string');
        expect(`${key}: ${value.length <= 256}`).toBe(`${key}: true`);
        expect(value).not.toMatch(/\n/);
      }
    },
  );
});

test('a recipe says which layers carry LoRA; where it is silent, so is the job', () => {
  const miniature = { category: 'car', teacher: 'sdxl-miniature', student: 'llamagen-miniature' };
  expect(stageOf(plan(miniature), 'teach')).toMatchObject({ hyperparameters: { adapted: 'all' } });
  expect(Object.keys((stageOf(plan(), 'teach') as TrainingPlan).hyperparameters)).not.toContain('adapted');
});

test('the class is preserved only when asked for, and costs its drawing and twice the steps', () => {
  const digests = { sdxl: '0a1b2c3d' };
  const teach = (fields: object) => stageOf(plan(fields, 'full', { digests }), 'teach') as TrainingPlan;
  const without = teach({});
  expect(Object.keys(without.hyperparameters)).not.toContain('class_images');
  const preserving = teach({ category: 'dog', advanced: { teach: { priorPictures: 100, samples: false } } });
  expect(preserving.hyperparameters).toMatchObject({
    class_images: { prompt: 'a dog', pictures: 100, weight: 1, steps: 25, guidance: 5 },
  });
  expect(preserving.optionalChannels).toEqual({
    'class-images': 'class-images/sdxl/0a1b2c3d/a-dog/1024px-25-steps-guidance-5-100/',
  });
  // What is drawn otherwise lies elsewhere.
  const other = teach({ category: 'big dog', preset: 'draft', advanced: { teach: { priorPictures: 99 } } });
  expect(other.optionalChannels).toEqual({
    'class-images': 'class-images/sdxl/0a1b2c3d/a-big-dog/768px-20-steps-guidance-5-99/',
  });
  expect(teach({}).optionalChannels).toBeUndefined();
  // Of a model that nobody has looked at nothing is shared.
  const unseen = stageOf(plan({ advanced: { teach: { priorPictures: 100 } } }), 'teach') as TrainingPlan;
  expect(unseen.hyperparameters).toMatchObject({ class_images: { pictures: 100 } });
  expect(unseen.optionalChannels).toBeUndefined();
  const { load, perStep, perPicture } = model('sdxl').minutes;
  expect(preserving.minutes).toBeCloseTo(load + 2 * 1000 * perStep + 100 * perPicture, 1);
});

test('a larger batch takes longer, and the GPUs of one instance share it', () => {
  const minutes = (batchSize: number, instanceType?: string) =>
    stageOf(plan({ maxUsd: 100, advanced: { teach: { batchSize, instanceType, samples: false } } }), 'teach')
      .minutes;
  const { load, perStep } = model('sdxl').minutes;
  expect(minutes(4)).toBeCloseTo(load + 1000 * perStep * 4, 1);
  expect(minutes(4, 'ml.g5.12xlarge')).toBeCloseTo(load + 1000 * perStep, 1);
  // Three of four GPUs can share six pictures evenly.
  expect(minutes(6, 'ml.g5.12xlarge')).toBeCloseTo(load + 1000 * perStep * 2, 1);
  expect(minutes(1, 'ml.g5.12xlarge')).toBeCloseTo(load + 1000 * perStep, 1);
});

describe('the base of a teacher in fewer bits', () => {
  const bits = (teacher: string, instanceType?: string) => {
    const made = plan({ teacher, maxUsd: 100, advanced: { teach: { instanceType } } });
    const { hyperparameters: how } = stageOf(made, 'teach') as TrainingPlan;
    return 'bits' in how ? how.bits : undefined;
  };

  test.each([
    ['flux-dev', undefined, undefined],
    ['flux-dev', 'ml.g5.2xlarge', 8],
    ['flux-dev', 'ml.g4dn.xlarge', 4],
    ['sd3.5-large', 'ml.g5.2xlarge', 8],
    ['sd3.5-large', 'ml.g6e.xlarge', undefined],
    ['sdxl', 'ml.g5.2xlarge', undefined],
  ] as const)('%s on %s: %s', (teacher, type, expected) => {
    expect(bits(teacher, type)).toBe(expected);
  });
});

describe('Min-SNR', () => {
  const gamma = (teacher: string) =>
    stageOf(plan({ teacher, maxUsd: 100, advanced: { teach: { snrGamma: 5 } } }), 'teach');

  test('weighs the noise levels of a teacher that predicts noise', () => {
    expect(gamma('sdxl')).toMatchObject({ hyperparameters: { snr_gamma: 5 } });
    expect(Object.keys((stageOf(plan(), 'teach') as TrainingPlan).hyperparameters)).not.toContain(
      'snr_gamma',
    );
  });

  test.each(['sd3-medium', 'sd3.5-large', 'flux-dev'])('is refused for %s, by its name', (teacher) => {
    const error = refusal(() => gamma(teacher));
    expect(error.name).toBe('RequestInvalid');
    expect(error.message).toContain(model(teacher).title);
    expect(error.message).toContain('Allowed: sdxl, sdxl-miniature.');
  });
});

test('pictures are mirrored only when asked for', () => {
  expect(Object.keys((stageOf(plan(), 'teach') as TrainingPlan).hyperparameters)).not.toContain('flips');
  const flipping = stageOf(plan({ advanced: { teach: { flips: true } } }), 'teach');
  expect(flipping).toMatchObject({ hyperparameters: { flips: true } });
});

test('the instance prompts hold the paper’s own, from which proxies are drawn', () => {
  const made = plan();
  expect(stageOf(made, 'teach')).toMatchObject({
    hyperparameters: { prompts: ['a photo of a ohwx dog', made.prompts.proxy] },
  });
});

describe('samples along the way', () => {
  const jobs = (fields: object) => ({
    teach: stageOf(plan(fields), 'teach') as TrainingPlan,
    evaluate: stageOf(plan(fields), 'evaluate') as TrainingPlan,
  });

  test('are drawn as the proxies are, measured by the encoders, and shown in the report', () => {
    const { teach, evaluate } = jobs({});
    expect(teach.hyperparameters).toMatchObject({
      validation_images: { subject: 'ohwx dog', pictures: 4, steps: 25, guidance: 5 },
      validation_prompts: [
        'a {s}',
        'a {s} on a kitchen counter',
        ...Array(3).fill(expect.stringContaining('{s}')),
      ],
    });
    expect(teach.channels).toMatchObject({ clip: 'models/clip-vit-b32/', dino: 'models/dino-vits16/' });
    expect(evaluate.channels.validation).toBe('intermediates/dog-0a1b2c3d/checkpoints/teach/validation/');
  });

  test('no prompt of theirs is one of the evaluation', () => {
    const made = plan();
    const { hyperparameters: how } = stageOf(made, 'teach') as TrainingPlan;
    const prompts = 'validation_prompts' in how ? (how.validation_prompts ?? []) : [];
    const evaluated = made.prompts.evaluation.map(({ plain }) => plain);
    expect(prompts).toHaveLength(5);
    expect(prompts.filter((prompt) => evaluated.includes(prompt.replace('{s}', 'dog')))).toEqual([]);
  });

  test('can be left out: then the last checkpoint is used, and nothing is paid for them', () => {
    const { teach, evaluate } = jobs({ advanced: { teach: { samples: false } } });
    expect(Object.keys(teach.hyperparameters).filter((key) => key.includes('validation'))).toEqual([]);
    expect(Object.keys(teach.channels)).toEqual(['base', 'references']);
    expect(evaluate.channels).not.toHaveProperty('validation');
    expect(teach.minutes).toBeCloseTo(8 + 1000 * 0.0106, 2);
  });
});

describe('chunks', () => {
  const made = plan({ proxies: 50, advanced: { sample: { prompts: 3, picturesPerPrompt: 2 } } });

  test.each([...TRANSFORM_STAGES])(
    'of %s are as many as planned, valid, and complete without repeats',
    (stage) => {
      const chunks = chunksOf(made, stage);
      expect(chunks).toHaveLength(transformOf(made, stage).chunks);
      for (const chunk of chunks) expect(chunkSchema.parse(chunk)).toEqual(chunk);
      // All chunks of a stage know how large it is, so they decide alike whether compiling is worth its time.
      for (const chunk of chunks) expect(chunk.stage_pictures).toBe(transformOf(made, stage).pictures);
      const indexes = chunks.flatMap((chunk) => chunk.pictures.map((picture) => picture.index));
      expect(indexes).toEqual(Array.from({ length: transformOf(made, stage).pictures }, (_, index) => index));
    },
  );

  test('give teacher and student, tuned and untuned, the same prompts and seeds', () => {
    const asked = (stage: 'sample-teacher' | 'sample-student', variant: string) =>
      chunksOf(made, stage)
        .filter((chunk) => chunk.variant === variant)
        .flatMap((chunk) => chunk.pictures.map(({ prompt, seed }) => ({ prompt, seed })));
    const wanted = asked('sample-teacher', 'tuned');
    expect(wanted).toHaveLength(6);
    expect(new Set(wanted.map(({ seed }) => seed)).size).toBe(6);
    for (const stage of ['sample-teacher', 'sample-student'] as const)
      for (const variant of ['tuned', 'base']) expect(asked(stage, variant)).toEqual(wanted);
  });

  test('never give a proxy the seed of a sample', () => {
    const seeds = (stage: 'synthesize' | 'sample-teacher') =>
      chunksOf(made, stage).flatMap((chunk) => chunk.pictures.map((picture) => picture.seed));
    const samples = new Set(seeds('sample-teacher'));
    expect(seeds('synthesize').filter((seed) => samples.has(seed))).toEqual([]);
  });
});
