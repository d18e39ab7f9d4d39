/** Every request that a plan can lead to, checked by SageMaker's API model and the rules that no model states. */
import { domainOf } from '../../lib/core/catalogue/domains.ts';
import { model as catalogueRow, requestable } from '../../lib/core/catalogue/models.ts';
import { PRESETS } from '../../lib/core/catalogue/recipes.ts';
import {
  drawingOf,
  modelRequest,
  spotDrawingRequest,
  trainingJobRequest,
  transformJobRequest,
} from '../../lib/core/jobs/requests.ts';
import { keys } from '../../lib/core/keys.ts';
import { type JobIdentity, jobName } from '../../lib/core/names.ts';
import { type Plan, type StagePlan, stageOf } from '../../lib/core/plan/plan.ts';
import { LONGEST_RUNTIME_SECONDS } from '../../lib/core/plan/pricing.ts';
import {
  JOB_STAGES,
  type JobStage,
  TRAINING_STAGES,
  TRANSFORM_STAGES,
  type TransformStage,
} from '../../lib/core/words.ts';
import { checkRequest } from '../../lib/local/sagemaker/model/validate.ts';
import { applyRules } from '../../lib/local/sagemaker/rules/rule.ts';
import { trainingRules } from '../../lib/local/sagemaker/rules/training.ts';
import { BUCKET, CONTEXT, checkTraining, checkTransform, PREFIX, plan, RUN, SERVING } from './requesting.ts';

/** Checks what SageMaker is asked for to run a stage. */
function check(made: Plan, stage: (typeof JOB_STAGES)[number]): void {
  const identity: JobIdentity = { run: RUN, stage, attempt: 40 };
  const { kind } = stageOf(made, stage);
  if (kind !== 'transform') {
    const adapterFolder = `${keys.jobs(RUN)}${jobName({ ...identity, stage: 'teach' }, PREFIX)}/output/`;
    const request =
      kind === 'spot'
        ? spotDrawingRequest(made, identity, { ...CONTEXT, adapterFolder, instances: 8 })
        : trainingJobRequest(made, identity, CONTEXT);
    checkTraining(request);
    return;
  }
  const artifactUri = `s3://${BUCKET}/${keys.jobs(RUN)}${jobName({ ...identity, stage: 'teach' }, PREFIX)}/output/model.tar.gz`;
  const model = modelRequest(made, drawingOf(made, identity, PREFIX), { ...CONTEXT, artifactUri });
  checkTransform(model, transformJobRequest(made, drawingOf(made, identity, PREFIX), 8));
}

/** Something that there is in a model's domain. */
const categoryOf = (id: string): string => domainOf(catalogueRow(id).domain).categories?.[0] ?? 'dog';

const CHOICES = PRESETS.flatMap((preset) =>
  (['full', 'tiny'] as const).flatMap((scale) =>
    requestable('teacher').flatMap((teacher) =>
      requestable('student')
        .filter((student) => catalogueRow(student).domain === catalogueRow(teacher).domain)
        .map((student) => ({ preset, scale, teacher, student, category: categoryOf(teacher) })),
    ),
  ),
);

describe.each(CHOICES)('$preset, $scale, $teacher to $student', ({ scale, ...fields }) => {
  const made = plan(fields, scale);
  test.each(JOB_STAGES)('%s is a request that SageMaker takes', (stage) => check(made, stage));
});

describe('overrides', () => {
  test.each(['ml.g5.xlarge', 'ml.g6e.xlarge', 'ml.p5.4xlarge'])('train on %s, on spot', (instanceType) => {
    const on = { instanceType, spot: true };
    const made = plan({ advanced: { teach: on, learn: on } });
    for (const stage of JOB_STAGES) check(made, stage);
    expect(stageOf(made, 'teach').instanceType).toBe(instanceType);
  });

  test.each(['ml.g5.xlarge', 'ml.p5.4xlarge'])('draw on %s, on spot, eight at once', (instanceType) => {
    const made = plan({ synthesis: 'spot', advanced: { synthesize: { instanceType, instances: 8 } } });
    for (const stage of JOB_STAGES) check(made, stage);
    expect(stageOf(made, 'synthesize')).toMatchObject({ kind: 'spot', instanceType, instances: 8 });
  });

  test('the longest words there may be', () => {
    const category = `${'a'.repeat(12)} ${'b'.repeat(13)} ${'c'.repeat(13)}`;
    const made = plan({ category, tokenWord: 'x'.repeat(12) });
    for (const stage of JOB_STAGES) check(made, stage);
  });
});

test('the longest jobs that a request may ask for are given no more time than the roles allow', () => {
  const most = { steps: 20_000, batchSize: 64 };
  for (const preset of PRESETS) {
    const made = plan({ preset, proxies: 5000, advanced: { teach: most, learn: most } });
    for (const stage of TRAINING_STAGES)
      expect(stageOf(made, stage).maxRuntimeSeconds).toBeLessThanOrEqual(LONGEST_RUNTIME_SECONDS);
  }
});

test('the check is a check: what SageMaker refuses is refused', () => {
  const request = trainingJobRequest(plan(), { run: RUN, stage: 'teach', attempt: 1 }, CONTEXT);
  expect(() => checkRequest('CreateTrainingJob', { ...request, TrainingJobName: 'a_b' })).toThrow(/pattern/);
  const waiting = { ...request, StoppingCondition: { MaxRuntimeInSeconds: 60, MaxWaitTimeInSeconds: 60 } };
  expect(() => applyRules(trainingRules, waiting as never)).toThrow(/MaxWaitTime/);
});

describe('the GPUs that a container is to expect', () => {
  const four = { instanceType: 'ml.g5.12xlarge' };
  const tiny = plan({}, 'tiny');
  const shared = plan({ synthesis: 'spot', advanced: { teach: four, synthesize: four } });
  const transformed = plan({ advanced: { synthesize: four } });
  const identity = (stage: JobStage) => ({ run: RUN, stage, attempt: 1 });
  const served = (made: Plan, stage: TransformStage) =>
    modelRequest(made, drawingOf(made, identity(stage), PREFIX), SERVING).PrimaryContainer.Environment
      .PROXYTUNE_GPUS;
  const trained = (made: Plan, stage: JobStage) =>
    trainingJobRequest(made, identity(stage), CONTEXT).Environment;

  test.each(TRAINING_STAGES)('are those of the instance type that %s is planned on', (stage) => {
    expect(trained(plan(), stage)).toEqual({ PROXYTUNE_GPUS: '1' });
    expect(trained(tiny, stage)).toEqual({ PROXYTUNE_GPUS: '0' });
  });

  test.each(TRANSFORM_STAGES)('are those of the instance type of the transform of %s', (stage) => {
    expect(served(plan(), stage)).toBe('1');
    expect(served(tiny, stage)).toBe('0');
  });

  test('are all of an instance with several, whether or not the job uses them', () => {
    expect(trained(shared, 'teach')).toEqual({ PROXYTUNE_GPUS: '4' });
    expect(served(transformed, 'synthesize')).toBe('4');
    const spot = spotDrawingRequest(shared, identity('synthesize'), {
      ...CONTEXT,
      adapterFolder: `runs/${RUN}/jobs/a-job/output/`,
      instances: 2,
    });
    expect(spot.Environment).toEqual({ PROXYTUNE_GPUS: '4' });
  });
});

test('every job is tagged with its run, so that a bill can be read by run', () => {
  const made = plan();
  const tagged = (stage: StagePlan) =>
    stage.kind === 'training'
      ? trainingJobRequest(made, { run: RUN, stage: stage.stage, attempt: 1 }, CONTEXT).Tags
      : transformJobRequest(made, drawingOf(made, { run: RUN, stage: stage.stage, attempt: 1 }, PREFIX), 1)
          .Tags;
  for (const stage of made.stages)
    expect(tagged(stage)).toEqual([
      { Key: 'proxytune:run', Value: RUN },
      { Key: 'proxytune:subject', Value: 's'.repeat(40) },
      { Key: 'proxytune:stage', Value: stage.stage },
    ]);
});
