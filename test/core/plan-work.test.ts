/**
 * The plan charges and allows time for what the jobs do: for each stage, work counted by the job's own loops
 * (`job-work.ts`, which real jobs are compared with) at the catalogue's rates. No formula of the plan is called.
 */
import { instance } from '../../lib/core/catalogue/instances.ts';
import { model } from '../../lib/core/catalogue/models.ts';
import type { Chunk } from '../../lib/core/contract/pictures.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { type Plan, stageOf, type TrainingPlan, transformOf } from '../../lib/core/plan/plan.ts';
import type { TransformStage } from '../../lib/core/words.ts';
import {
  type Billed,
  drawnPicture,
  eachVariant,
  expectCharged,
  FOUR_GPUS,
  modelOf,
  PHOTOS,
  trainedPicture,
} from './charging.ts';
import { busiest, curateWork, evaluateWork, learnWork, mascWork, teachWork } from './job-work.ts';
import { plan } from './planning.ts';

function given<Stage extends 'teach' | 'learn'>(made: Plan, stage: Stage) {
  const { hyperparameters } = stageOf(made, stage) as TrainingPlan;
  return hyperparameters as Extract<typeof hyperparameters, { stage: Stage }>;
}

describe('teach takes its steps, its class images, and the samples of its checkpoints', () => {
  const teach = (fields: object) => ({ request: { advanced: { teach: fields } } });
  eachVariant(
    'teach',
    {
      'more steps': teach({ steps: 2000 }),
      'steps that end between two checkpoints': teach({ steps: 1001 }),
      'a larger batch': teach({ batchSize: 4 }),
      'a batch that three of four GPUs share': teach({ batchSize: 6, instanceType: FOUR_GPUS }),
      'a batch that four GPUs share, so that it takes no longer': {
        ...teach({ batchSize: 4, instanceType: FOUR_GPUS }),
        same: true,
      },
      'class images': teach({ priorPictures: 100 }),
      'class images and a shared batch': teach({ priorPictures: 7, batchSize: 8, instanceType: FOUR_GPUS }),
      'no samples': teach({ samples: false }),
      'no samples, many steps': teach({ samples: false, steps: 20_000 }),
      'more steps than a job may run': teach({ steps: 20_000, batchSize: 64 }),
      'spot, which takes no longer': { ...teach({ spot: true }), same: true },
      draft: { request: { preset: 'draft' } },
      best: { request: { preset: 'best' } },
      'another teacher': { request: { teacher: 'flux-dev' } },
    },
    (made) => {
      const stage = stageOf(made, 'teach') as TrainingPlan;
      const how = given(made, 'teach');
      const work = teachWork(how, Math.max(1, instance(stage.instanceType).gpus), PHOTOS);
      const teacher = modelOf(made, 'teacher');
      const minutes =
        teacher.minutes.load +
        work.trained * trainedPicture(made, 'teacher', how.size) +
        work.classImages * drawnPicture(teacher, how.size, how.class_images?.steps) +
        work.validationImages * drawnPicture(teacher, how.size, how.validation_images?.steps) +
        work.clip * modelOf(made, 'clip').minutes.perPicture +
        work.dino * modelOf(made, 'dino').minutes.perPicture;
      expectCharged(stage, [{ minutes }], stage.spot);
    },
  );
});

/** Jobs that draw chunks, dealt to all GPUs that a job has: of a transform one an instance, of a spot job all. */
function drawingJobs(made: Plan, stage: TransformStage, rounds: readonly Chunk[][]): Billed[] {
  const how = transformOf(made, stage);
  const row = modelOf(made, how.role);
  const ofInstance = how.kind === 'spot' ? Math.max(1, instance(how.instanceType).gpus) : 1;
  return rounds.map((chunks) => {
    const instances = Math.min(how.instances, Math.ceil(chunks.length / ofInstance));
    const [{ size, sampler } = how] = chunks;
    const steps = 'steps' in sampler ? sampler.steps : undefined;
    const pictures = busiest(chunks, instances * ofInstance);
    return { minutes: row.minutes.load + pictures * drawnPicture(row, size, steps), instances };
  });
}

describe('synthesize takes what its busiest GPU draws, in every round', () => {
  const synthesize = (fields: object, more: object = {}) => ({
    request: { ...more, advanced: { synthesize: fields } },
  });
  eachVariant(
    'synthesize',
    {
      'fewer proxies': { request: { proxies: 300 } },
      'more denoising steps': synthesize({ steps: 100 }),
      'instances that share the chunks': synthesize({ instances: 4 }),
      'few large chunks for several instances': synthesize(
        { instances: 3, picturesPerChunk: 64 },
        { proxies: 200 },
      ),
      'more instances than chunks': synthesize({ instances: 8, picturesPerChunk: 64 }, { proxies: 100 }),
      'all GPUs of spot instances': synthesize(
        { instances: 2, instanceType: FOUR_GPUS },
        { synthesis: 'spot', proxies: 500 },
      ),
      'one GPU of an instance of four': { ...synthesize({ instanceType: FOUR_GPUS }), same: true },
      'larger chunks on one instance': { ...synthesize({ picturesPerChunk: 64 }), same: true },
      rounds: { request: { adaptiveProxies: true, advanced: { curate: { rounds: 6 } } } },
      'rounds on several instances': {
        request: {
          adaptiveProxies: true,
          proxies: 330,
          advanced: { curate: { rounds: 3 }, synthesize: { instances: 3 } },
        },
      },
      draft: { request: { preset: 'draft' } },
      best: { request: { preset: 'best' } },
      'a student of larger pictures': {
        request: { teacher: 'sd3-medium', student: 'lumina-mgpt-7b' },
      },
    },
    (made) => {
      const stage = transformOf(made, 'synthesize');
      const chunks = chunksOf(made, 'synthesize');
      // A round draws the chunks up to its end that no earlier one has drawn.
      const ends = (made.curation?.rounds ?? [made.proxies ?? 0]).map((end) =>
        chunks.filter(({ pictures }) => pictures.every(({ index }) => index < end)),
      );
      const rounds = ends.map((until, round) => until.slice(ends[round - 1]?.length ?? 0));
      expect(rounds.flat()).toHaveLength(chunks.length);
      expectCharged(stage, drawingJobs(made, 'synthesize', rounds), stage.kind === 'spot');
    },
  );
});

describe.each(['sample-teacher', 'sample-student'] as const)(
  '%s takes all its chunks, on one GPU',
  (stage) => {
    eachVariant(
      stage,
      {
        'fewer prompts': { request: { advanced: { sample: { prompts: 3 } } } },
        'more pictures a prompt': { request: { advanced: { sample: { picturesPerPrompt: 16 } } } },
        'one GPU of an instance of four': {
          request: { advanced: { sample: { instanceType: FOUR_GPUS } } },
          same: true,
        },
        'proxies are not samples': { request: { proxies: 50 }, same: true },
        draft: { request: { preset: 'draft' } },
      },
      (made) => expectCharged(stageOf(made, stage), drawingJobs(made, stage, [chunksOf(made, stage)])),
    );
  },
);

describe('curate reads the photos in every round, and every proxy once', () => {
  eachVariant(
    'curate',
    {
      'fewer proxies': { request: { proxies: 100 } },
      rounds: { request: { adaptiveProxies: true } },
      'more rounds': { request: { adaptiveProxies: true, advanced: { curate: { rounds: 9 } } } },
      'an instance with four GPUs': {
        request: { advanced: { curate: { instanceType: FOUR_GPUS } } },
        same: true,
      },
      'samples are not proxies': { request: { advanced: { sample: { picturesPerPrompt: 1 } } }, same: true },
    },
    (made) => {
      const work = curateWork(made.curation?.rounds ?? [], PHOTOS);
      const [clip, dino] = [modelOf(made, 'clip').minutes, modelOf(made, 'dino').minutes];
      // Any round may have to measure all again, so each is allowed the time of all.
      const minutes =
        work.loads * (clip.load + dino.load) + work.clip * clip.perPicture + work.dino * dino.perPicture;
      expectCharged(stageOf(made, 'curate'), [{ minutes }]);
    },
    { curation: true },
  );
});

describe('learn takes its steps, each of a GPU’s share of the batch', () => {
  const learn = (fields: object) => ({ request: { advanced: { learn: fields } } });
  eachVariant(
    'learn',
    {
      'more steps': learn({ steps: 1000 }),
      'a larger batch': learn({ batchSize: 64 }),
      'a smaller batch': learn({ batchSize: 1 }),
      'more of both': learn({ batchSize: 64, steps: 20_000 }),
      'four GPUs that share the batch': learn({ instanceType: FOUR_GPUS }),
      'a batch that three of four GPUs share': learn({ batchSize: 6, instanceType: FOUR_GPUS }),
      'four times the batch on four GPUs, which takes no longer': {
        ...learn({ batchSize: 64, instanceType: FOUR_GPUS }),
        same: true,
      },
      'spot, which takes no longer': { ...learn({ spot: true }), same: true },
      draft: { request: { preset: 'draft' } },
      'another student': { request: { student: 'lumina-mgpt-7b' } },
      'the photos themselves, in as many steps': { request: { method: 'direct-lora' }, same: true },
      'variations of the photos, in as many steps': { request: { method: 'augmentation' }, same: true },
      'all weights, whose gradients are a third pass': { request: { method: 'direct-full' } },
    },
    (made) => {
      const stage = stageOf(made, 'learn') as TrainingPlan;
      const how = given(made, 'learn');
      const { trained } = learnWork(how, Math.max(1, instance(stage.instanceType).gpus));
      const minutes =
        modelOf(made, 'student').minutes.load +
        trained * trainedPicture(made, 'student', how.size) * (how.tuning === 'full' ? 3 / 2 : 1);
      expectCharged(stage, [{ minutes }], stage.spot);
    },
  );

  test('64 instead of 16 pictures a step take 82 instead of 27 minutes', () => {
    const minutes = (batchSize: number) =>
      stageOf(plan({ maxUsd: 100, advanced: { learn: { batchSize } } }), 'learn').minutes;
    expect([16, 64].map(minutes)).toEqual([26.6, 82.4]);
  });
});

describe('evaluate reads the photos, 200 proxies at most, and all samples', () => {
  eachVariant(
    'evaluate',
    {
      'fewer proxies': { request: { proxies: 50 } },
      'more proxies, of which no more are scored': { request: { proxies: 5000 }, same: true },
      'as many as are scored': { request: { proxies: 200 }, same: true },
      'curated proxies': { request: { curation: true }, same: true },
      'fewer prompts': { request: { advanced: { sample: { prompts: 3 } } } },
      'more pictures a prompt': { request: { advanced: { sample: { picturesPerPrompt: 16 } } } },
      'samples of checkpoints, which it only shows': {
        request: { advanced: { teach: { samples: false } } },
        same: true,
      },
      'an instance with four GPUs': {
        request: { advanced: { evaluate: { instanceType: FOUR_GPUS } } },
        same: true,
      },
      draft: { request: { preset: 'draft' } },
      'a method without a teacher': { request: { method: 'direct-lora' } },
    },
    (made) => {
      const own = made.prompts.evaluation.length * made.samples.picturesPerPrompt;
      const models = made.models.teacher === undefined ? 1 : 2;
      const encoded = evaluateWork(made.proxies ?? 0, models, own, PHOTOS);
      const work = { ...encoded, dreamsim: encoded.dino, ...mascWork(encoded, PHOTOS) };
      const roles = ['clip', 'dino', 'dreamsim', 'siglip', 'segmenter'] as const;
      const encoders = roles.flatMap((role) => {
        const chosen = made.models[role];
        return chosen === undefined ? [] : [{ ...model(chosen.id).minutes, read: work[role] }];
      });
      const minutes = encoders.reduce((sum, { load, perPicture, read }) => sum + load + read * perPicture, 0);
      expectCharged(stageOf(made, 'evaluate'), [{ minutes }]);
    },
  );
});
