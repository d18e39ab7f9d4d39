/** Every request that a plan can lead to, checked by SageMaker's API model and the rules that no model states. */

import { domainOf } from '../../lib/core/catalogue/domains.ts';
import { instance } from '../../lib/core/catalogue/instances.ts';
import { model as catalogueRow, requestable } from '../../lib/core/catalogue/models.ts';
import { PRESETS } from '../../lib/core/catalogue/recipes.ts';
import {
  drawingOf,
  manifest,
  modelRequest,
  spotDrawingRequest,
  trainingJobRequest,
  transformJobRequest,
} from '../../lib/core/jobs/requests.ts';
import { keys } from '../../lib/core/keys.ts';
import { type JobIdentity, jobName, jobPrefix } from '../../lib/core/names.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { type Plan, type StagePlan, stageOf } from '../../lib/core/plan/plan.ts';
import { LONGEST_RUNTIME_SECONDS } from '../../lib/core/plan/pricing.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { hyperparameters } from '../../lib/core/stages/hyperparameters.ts';
import { chunksUntil } from '../../lib/core/stages/rounds.ts';
import {
  JOB_STAGES,
  type JobStage,
  TRAINING_STAGES,
  TRANSFORM_STAGES,
  type TransformStage,
} from '../../lib/core/words.ts';
import { checkRequest } from '../../lib/local/sagemaker/model/validate.ts';
import {
  modelIsOneContainer,
  trainingLimits,
  transformLimits,
} from '../../lib/local/sagemaker/rules/local-limits.ts';
import { modelRules } from '../../lib/local/sagemaker/rules/model.ts';
import { applyRules } from '../../lib/local/sagemaker/rules/rule.ts';
import { trainingRules } from '../../lib/local/sagemaker/rules/training.ts';
import { modelIsPacked, transformRules } from '../../lib/local/sagemaker/rules/transform.ts';

const PREFIX = jobPrefix('Proxytune');
const CONTEXT = {
  roleArn: 'arn:aws:iam::123456789012:role/Proxytune-JobRole-0123456789AB',
  region: 'eu-central-1',
  jobPrefix: PREFIX,
  imageUri: `123456789012.dkr.ecr.us-east-1.amazonaws.com/cdk-hnb659fds-container-assets:${'0'.repeat(64)}`,
};
// The longest a run's id and a bucket's name can be.
const RUN = `${'a'.repeat(20)}-0a1b2c3d`;
const BUCKET = 'b'.repeat(63);

/** Keys that every stage needs in the bucket. */
const WHOLE = { category: 'dog', consent: true, maxUsd: 10_000, curation: true, adaptiveProxies: true };

function plan(fields: object = {}, scale: 'full' | 'tiny' = 'full'): Plan {
  const request = parseRequest(JSON.stringify({ ...WHOLE, ...fields }));
  return makePlan(request, { runId: RUN, subject: 's'.repeat(40), bucket: BUCKET, scale, version: '1' });
}

/** As SageMaker would: the API model first, then its own rules, then what our service cannot do. */
function check(made: Plan, stage: (typeof JOB_STAGES)[number]): void {
  const identity: JobIdentity = { run: RUN, stage, attempt: 40 };
  const { kind } = stageOf(made, stage);
  if (kind !== 'transform') {
    const adapterFolder = `${keys.jobs(RUN)}${jobName({ ...identity, stage: 'teach' }, PREFIX)}/output/`;
    const request =
      kind === 'spot'
        ? spotDrawingRequest(made, identity, { ...CONTEXT, adapterFolder, instances: 8 })
        : trainingJobRequest(made, identity, CONTEXT);
    checkRequest('CreateTrainingJob', request);
    applyRules(trainingRules, request as never);
    applyRules(trainingLimits, request as never);
    return;
  }
  const artifactUri = `s3://${BUCKET}/${keys.jobs(RUN)}${jobName({ ...identity, stage: 'teach' }, PREFIX)}/output/model.tar.gz`;
  const model = modelRequest(made, drawingOf(made, identity, PREFIX), { ...CONTEXT, artifactUri });
  checkRequest('CreateModel', model);
  applyRules([...modelRules, modelIsPacked, modelIsOneContainer], model as never);
  const transform = transformJobRequest(made, drawingOf(made, identity, PREFIX), 8);
  checkRequest('CreateTransformJob', transform);
  applyRules([...transformRules, ...transformLimits], transform as never);
  expect(transform.ModelName).toBe(model.ModelName);
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

describe('a training job', () => {
  const request = (stage: (typeof TRAINING_STAGES)[number], fields: object = {}) =>
    trainingJobRequest(plan(fields), { run: RUN, stage, attempt: 2 }, CONTEXT);

  test('has no network, whatever it trains', () => {
    for (const stage of TRAINING_STAGES) expect(request(stage).EnableNetworkIsolation).toBe(true);
  });

  test('waits for spot only when it is on spot', () => {
    expect(request('teach').StoppingCondition).not.toHaveProperty('MaxWaitTimeInSeconds');
    const { StoppingCondition: on } = request('teach', { advanced: { teach: { spot: true } } });
    expect(on.MaxWaitTimeInSeconds).toBe(on.MaxRuntimeInSeconds + 6 * 3600);
  });

  test('checkpoints under its stage, not under its attempt, so that the next attempt resumes', () => {
    const { S3Uri } = request('learn').CheckpointConfig;
    expect(S3Uri).toBe(`s3://${BUCKET}/runs/${RUN}/checkpoints/learn/`);
    expect(S3Uri).not.toContain('a2');
  });

  test('of a later round knows which, and is another job', () => {
    const { HyperParameters, TrainingJobName } = trainingJobRequest(
      plan(),
      { run: RUN, stage: 'curate', attempt: 2, round: 3 },
      CONTEXT,
    );
    expect(HyperParameters).toMatchObject({ stage: 'curate', round: '3' });
    expect(TrainingJobName).toBe(`${PREFIX}${RUN}-curate-r3-a2`);
    expect(request('curate').HyperParameters).toMatchObject({ round: '1' });
  });

  test('is given its hyperparameters as strings that parse to what was planned', () => {
    const { HyperParameters: strings } = request('teach');
    const parsed = Object.fromEntries(
      Object.entries(strings).map(([key, value]) => {
        try {
          return [key, JSON.parse(value)];
        } catch {
          return [key, value];
        }
      }),
    );
    expect(hyperparameters.parse(parsed)).toEqual(
      (stageOf(plan(), 'teach') as { hyperparameters: object }).hyperparameters,
    );
    for (const value of Object.values(strings)) expect(value.length).toBeLessThanOrEqual(256);
  });

  test('reads whole folders only: a prefix without a slash would take in its neighbours', () => {
    for (const stage of TRAINING_STAGES)
      for (const { ChannelName, DataSource } of request(stage).InputDataConfig)
        expect([ChannelName, DataSource.S3DataSource.S3Uri]).toEqual([
          ChannelName,
          expect.stringMatching(ChannelName === 'plan' ? /\/plan\.json$/ : /\/$/),
        ]);
  });

  test('leaves the report as files, and adapters packed, as a transform wants them', () => {
    expect(request('evaluate').OutputDataConfig.CompressionType).toBe('NONE');
    expect(request('teach').OutputDataConfig.CompressionType).toBe('GZIP');
    expect(request('learn').OutputDataConfig.CompressionType).toBe('GZIP');
  });
});

describe('a stage that draws on spot', () => {
  const adapterFolder = `runs/${RUN}/jobs/a-job/output/`;
  const made = plan({ synthesis: 'spot', seed: 7, advanced: { synthesize: { instances: 3 } } });
  const request = spotDrawingRequest(
    made,
    { run: RUN, stage: 'synthesize', attempt: 2 },
    { ...CONTEXT, adapterFolder, instances: 3 },
  );

  test('reads base, adapter and chunks through channels, without network', () => {
    expect(
      Object.fromEntries(
        request.InputDataConfig.map(({ ChannelName, DataSource }) => [
          ChannelName,
          DataSource.S3DataSource.S3Uri,
        ]),
      ),
    ).toEqual({
      base: `s3://${BUCKET}/models/sdxl/`,
      adapter: `s3://${BUCKET}/${adapterFolder}`,
      chunks: `s3://${BUCKET}/runs/${RUN}/chunks/synthesize/`,
    });
    expect(request.EnableNetworkIsolation).toBe(true);
  });

  test('writes its shards where a transform of the same attempt would, and finds those of all attempts', () => {
    const { S3Uri, LocalPath } = request.CheckpointConfig;
    expect(LocalPath).toBe('/opt/ml/checkpoints');
    const asTransform = plan();
    const { S3OutputPath } = transformJobRequest(
      asTransform,
      drawingOf(asTransform, { run: RUN, stage: 'synthesize', attempt: 2 }, PREFIX),
      1,
    ).TransformOutput;
    expect(`${S3Uri}a2/`).toBe(S3OutputPath);
    const chunks = chunksUntil(made, 'synthesize', 1);
    const parsed = { ...request.HyperParameters, seed: 7, chunks };
    expect(hyperparameters.parse(parsed)).toEqual({
      stage: 'synthesize',
      family: 'sdxl',
      model: 'sdxl',
      seed: 7,
      folder: 'a2',
      chunks,
    });
    expect(request.HyperParameters.chunks).toBe(String(chunks));
    const later = { run: RUN, stage: 'synthesize', attempt: 3, round: 2 } as const;
    expect(
      spotDrawingRequest(made, later, { ...CONTEXT, adapterFolder, instances: 1 }).HyperParameters,
    ).toMatchObject({
      folder: 'r2-a3',
      chunks: String(chunksUntil(made, 'synthesize', 2)),
    });
    expect(drawingOf(made, later, PREFIX).output).toBe(`runs/${RUN}/pictures/synthesize/r2-a3/`);
  });

  test('shares the chunks among instances, and waits for spot', () => {
    expect(request.ResourceConfig.InstanceCount).toBe(3);
    expect(request.EnableManagedSpotTraining).toBe(true);
    const { MaxRuntimeInSeconds, MaxWaitTimeInSeconds = 0 } = request.StoppingCondition;
    expect(MaxWaitTimeInSeconds).toBeGreaterThanOrEqual(MaxRuntimeInSeconds);
  });
});

describe('a transform job', () => {
  const identity = (stage: (typeof TRANSFORM_STAGES)[number], attempt = 1) => ({ run: RUN, stage, attempt });

  test('asks for a host whose driver knows CUDA 12, where there is a GPU', () => {
    for (const scale of ['full', 'tiny'] as const) {
      const made = plan({}, scale);
      const { TransformResources: on } = transformJobRequest(
        made,
        drawingOf(made, identity('synthesize'), PREFIX),
        1,
      );
      const gpu = instance(stageOf(made, 'synthesize').instanceType).gpus > 0;
      expect(gpu).toBe(scale === 'full');
      expect(on.TransformAmiVersion).toBe(gpu ? 'al2-ami-sagemaker-batch-gpu-535' : undefined);
    }
  });

  test('shares its chunks among as many instances as it is given', () => {
    const made = plan();
    const drawing = drawingOf(made, identity('synthesize'), PREFIX);
    expect(transformJobRequest(made, drawing, 4).TransformResources.InstanceCount).toBe(4);
  });

  test('may answer with as much as the API allows, one chunk at a time', () => {
    const made = plan();
    const drawing = drawingOf(made, identity('synthesize'), PREFIX);
    expect(transformJobRequest(made, drawing, 4)).toMatchObject({
      MaxPayloadInMB: 100,
      MaxConcurrentTransforms: 1,
    });
  });

  test('writes under its attempt, outside of what it reads', () => {
    const made = plan();
    const { TransformInput, TransformOutput } = transformJobRequest(
      made,
      drawingOf(made, identity('synthesize', 3), PREFIX),
      1,
    );
    expect(TransformOutput.S3OutputPath).toBe(`s3://${BUCKET}/runs/${RUN}/pictures/synthesize/a3/`);
    expect(TransformInput.DataSource.S3DataSource).toEqual({
      S3DataType: 'ManifestFile',
      S3Uri: `s3://${BUCKET}/runs/${RUN}/manifests/${PREFIX}${RUN}-synthesize-a3.json`,
    });
    const [head] = manifest(made.bucket, keys.chunks(RUN, 'synthesize'), []);
    expect((head as { prefix: string }).prefix).not.toContain('pictures');
  });

  test('has a manifest of prefix and names', () => {
    expect(
      manifest(BUCKET, keys.chunks(RUN, 'sample-student'), ['chunk-0001.json', 'chunk-0004.json']),
    ).toEqual([
      { prefix: `s3://${BUCKET}/runs/${RUN}/chunks/sample-student/` },
      'chunk-0001.json',
      'chunk-0004.json',
    ]);
  });

  test.each(TRANSFORM_STAGES)('%s knows its role, family and weights', (stage) => {
    const made = plan();
    const role = stage === 'sample-student' ? 'student' : 'teacher';
    const { PrimaryContainer } = modelRequest(made, drawingOf(made, identity(stage), PREFIX), {
      ...CONTEXT,
      artifactUri: 's3://b/m.tar.gz',
    });
    expect(PrimaryContainer.Environment).toEqual({
      AWS_REGION: 'eu-central-1',
      PROXYTUNE_GPUS: '1',
      PROXYTUNE_ROLE: role,
      PROXYTUNE_FAMILY: made.models[role].family,
      PROXYTUNE_MODEL: made.models[role].id,
      PROXYTUNE_BASE_MODEL: `s3://${BUCKET}/models/${made.models[role].id}/`,
      PROXYTUNE_CHUNKS: `s3://${BUCKET}/runs/${RUN}/chunks/${stage}/`,
      PROXYTUNE_FAILURE_NOTE: `s3://${made.bucket}/${keys.failureNote(made.runId, jobName(identity(stage), PREFIX))}`,
    });
  });
});

describe('the GPUs that a container is to expect', () => {
  const four = { instanceType: 'ml.g5.12xlarge' };
  const tiny = plan({}, 'tiny');
  const shared = plan({ synthesis: 'spot', advanced: { teach: four, synthesize: four } });
  const transformed = plan({ advanced: { synthesize: four } });
  const identity = (stage: JobStage) => ({ run: RUN, stage, attempt: 1 });
  const served = (made: Plan, stage: TransformStage) =>
    modelRequest(made, drawingOf(made, identity(stage), PREFIX), {
      ...CONTEXT,
      artifactUri: 's3://b/m.tar.gz',
    }).PrimaryContainer.Environment.PROXYTUNE_GPUS;
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
