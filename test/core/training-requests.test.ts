/** Requests of training jobs: those that train a model or score images, and those that generate images on spot. */
import {
  drawingOf,
  spotDrawingRequest,
  trainingJobRequest,
  transformJobRequest,
} from '../../lib/core/jobs/requests.ts';
import { stageOf } from '../../lib/core/plan/plan.ts';
import { hyperparameters } from '../../lib/core/stages/hyperparameters.ts';
import { chunksUntil } from '../../lib/core/stages/rounds.ts';
import { TRAINING_STAGES } from '../../lib/core/words.ts';
import { BUCKET, CONTEXT, PREFIX, plan, RUN } from './requesting.ts';

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
    expect(S3Uri).toBe(`s3://${BUCKET}/intermediates/${RUN}/checkpoints/learn/`);
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
      chunks: `s3://${BUCKET}/intermediates/${RUN}/chunks/synthesize/`,
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
    expect(drawingOf(made, later, PREFIX).output).toBe(`intermediates/${RUN}/pictures/synthesize/r2-a3/`);
  });

  test('shares the chunks among instances, and waits for spot', () => {
    expect(request.ResourceConfig.InstanceCount).toBe(3);
    expect(request.EnableManagedSpotTraining).toBe(true);
    const { MaxRuntimeInSeconds, MaxWaitTimeInSeconds = 0 } = request.StoppingCondition;
    expect(MaxWaitTimeInSeconds).toBeGreaterThanOrEqual(MaxRuntimeInSeconds);
  });
});
