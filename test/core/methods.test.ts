/** Methods of tuning: what each plans, trains on and costs, and which fields of a request it has no use for. */
import { METHODS, method } from '../../lib/core/catalogue/methods.ts';
import { requestable } from '../../lib/core/catalogue/models.ts';
import { stageOf, type TrainingPlan } from '../../lib/core/plan/plan.ts';
import { STANDARD_STAGES } from '../../lib/core/words.ts';
import { plan, refusal } from './planning.ts';

const learnOf = (fields: object) => stageOf(plan(fields), 'learn') as TrainingPlan;
const stagesOf = (fields: object) => plan(fields).stages.map(({ stage }) => stage);
const WITHOUT_TEACHER = METHODS.filter((id) => !method(id).teacher);

test('every method says where it is from', () => {
  for (const id of METHODS) expect(method(id).source).toMatch(/arXiv \d{4}\.\d{5}/);
  expect(WITHOUT_TEACHER).toEqual(expect.arrayContaining(['direct-lora', 'direct-full', 'augmentation']));
});

test('without a method it is proxy, and nothing else is planned than before there were several', () => {
  const made = plan();
  expect(made.method).toMatchObject({ id: 'proxy', trainsOn: 'proxies' });
  expect(made.unused).toEqual([]);
  expect(made.stages.map(({ stage }) => stage)).toEqual(STANDARD_STAGES);
  const { hyperparameters, channels } = learnOf({});
  expect(Object.keys(hyperparameters)).not.toEqual(expect.arrayContaining(['tuning']));
  expect(Object.keys(channels)).toEqual(['base', 'proxies']);
});

test.each(WITHOUT_TEACHER)('%s plans its student alone', (id) => {
  const made = plan({ method: id });
  expect(made.stages.map(({ stage }) => stage)).toEqual(['learn', 'sample-student', 'evaluate']);
  expect(made.models.teacher).toBeUndefined();
  expect(made).toMatchObject({ method: { id }, proxies: null, proxiesInContext: 0, curation: null });
  const { channels } = stageOf(made, 'evaluate') as TrainingPlan;
  expect(Object.keys(channels)).toEqual([
    'plan',
    'references',
    'losses-student',
    'samples-student',
    'clip',
    'dino',
    'siglip',
    'segmenter',
    'dreamsim',
  ]);
  const whole = plan();
  for (const stage of ['sample-student'] as const)
    expect(stageOf(made, stage)).toEqual(stageOf(whole, stage));
  expect(made.estimate.usd).toBeLessThan(whole.estimate.usd);
  // Each stage is the next, so their minutes add up.
  const minutes = made.stages.reduce((total, stage) => total + stage.minutes, 0);
  expect(made.estimate.minutes).toBeCloseTo(minutes, 3);
});

test('direct tuning trains on the photos, by LoRA or in all weights at a twentieth of its rate', () => {
  const [lora, full] = [learnOf({ method: 'direct-lora' }), learnOf({ method: 'direct-full' })];
  expect(lora.hyperparameters).toMatchObject({ trains_on: 'references', learning_rate: 1e-4 });
  expect(lora.hyperparameters).not.toHaveProperty('proxies');
  expect(lora.hyperparameters).not.toHaveProperty('tuning');
  expect(full.hyperparameters).toMatchObject({ trains_on: 'references', tuning: 'full' });
  expect((full.hyperparameters as { learning_rate: number }).learning_rate).toBeCloseTo(5e-6, 12);
  for (const { channels } of [lora, full]) {
    expect(channels).toEqual({
      base: 'models/llamagen-xl/',
      references: 'intermediates/dog-0a1b2c3d/references/',
    });
  }
  // A rate that is asked for is taken as it is.
  const own = learnOf({ method: 'direct-full', advanced: { learn: { learningRate: 1e-5 } } });
  expect(own.hyperparameters).toMatchObject({ learning_rate: 1e-5 });
});

test('augmentation trains on as many variations as there would be proxies', () => {
  expect(learnOf({ method: 'augmentation' }).hyperparameters).toMatchObject({
    trains_on: 'augmented',
    proxies: 1000,
  });
  const own = { method: 'augmentation', proxies: 60, advanced: { learn: { mirror: false } } };
  expect(learnOf(own).hyperparameters).toMatchObject({ proxies: 60, mirror: false });
});

test('fields without effect are named, those of the method are not', () => {
  const all = {
    maxUsd: 100,
    proxies: 60,
    proxyContexts: 0.5,
    curation: true,
    masks: 'auto',
    synthesis: 'spot',
    advanced: { teach: { steps: 50 }, learn: { rank: 8, backgroundWeight: 0.2, mirror: true } },
  };
  const unused = (id: string) => plan({ ...all, method: id }).unused;
  const ofTeacher = ['proxyContexts', 'curation', 'masks', 'synthesis', 'advanced.teach'];
  expect(unused('proxy')).toEqual(['advanced.learn.mirror']);
  expect(unused('augmentation')).toEqual([...ofTeacher, 'advanced.learn.backgroundWeight']);
  expect(unused('direct-lora')).toEqual([...ofTeacher, 'advanced.learn.backgroundWeight', 'proxies']);
  expect(unused('direct-full')).toEqual([
    ...ofTeacher,
    'advanced.learn.backgroundWeight',
    'proxies',
    'advanced.learn.rank',
  ]);
});

test('a student of another domain than the default teacher needs none named', () => {
  const made = plan({ method: 'direct-lora', student: 'llamagen-miniature', category: 'fish' });
  expect(made.world.name).toBe('miniature');
  expect(refusal(() => plan({ student: 'llamagen-miniature', category: 'fish' })).message).toContain(
    'student',
  );
});

test('all weights are planned on a GPU that holds them, and refused where none does', () => {
  const full = (student: string, more: object = {}) => ({
    method: 'direct-full',
    student,
    maxUsd: 100,
    ...more,
  });
  expect(learnOf(full('llamagen-xl')).instanceType).toBe('ml.g5.2xlarge');
  // 28 GiB: the A10G, its first choice, has 24.
  expect(learnOf(full('janus-pro-1b')).instanceType).toBe('ml.g6e.xlarge');
  const refused = refusal(() => plan(full('lumina-mgpt-7b')));
  expect(refused).toMatchObject({ name: 'RequestInvalid' });
  expect(refused.message).toContain('about 115 GiB');
  const small = full('janus-pro-1b', { advanced: { learn: { instanceType: 'ml.g5.2xlarge' } } });
  expect(refusal(() => plan(small))).toMatchObject({ name: 'RequestInvalid' });
});

test('every student can be tuned by every method, or the plan says why not', () => {
  for (const student of requestable('student')) {
    for (const id of METHODS) {
      const miniature = student.endsWith('miniature');
      const fields = {
        method: id,
        student,
        maxUsd: 1000,
        ...(miniature && { teacher: 'sdxl-miniature', category: 'fish' }),
      };
      if (id === 'direct-full' && student === 'lumina-mgpt-7b') continue;
      expect(stagesOf(fields)).toContain('learn');
    }
  }
});
