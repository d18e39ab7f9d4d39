/** Requests of transform jobs: the model that generates, its chunks and its outputs. */
import { instance } from '../../lib/core/catalogue/instances.ts';
import { drawingOf, manifest, modelRequest, transformJobRequest } from '../../lib/core/jobs/requests.ts';
import { keys } from '../../lib/core/keys.ts';
import { jobName } from '../../lib/core/names.ts';
import { modelOfRole, stageOf } from '../../lib/core/plan/plan.ts';
import { TRANSFORM_STAGES } from '../../lib/core/words.ts';
import { BUCKET, PREFIX, plan, RUN, SERVING } from './requesting.ts';

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
    expect(TransformOutput.S3OutputPath).toBe(`s3://${BUCKET}/intermediates/${RUN}/pictures/synthesize/a3/`);
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
      { prefix: `s3://${BUCKET}/intermediates/${RUN}/chunks/sample-student/` },
      'chunk-0001.json',
      'chunk-0004.json',
    ]);
  });

  test.each(TRANSFORM_STAGES)('%s knows its role, family and weights', (stage) => {
    const made = plan();
    const role = stage === 'sample-student' ? 'student' : 'teacher';
    const { PrimaryContainer } = modelRequest(made, drawingOf(made, identity(stage), PREFIX), SERVING);
    expect(PrimaryContainer.Environment).toEqual({
      AWS_REGION: 'eu-central-1',
      PROXYTUNE_GPUS: '1',
      PROXYTUNE_ROLE: role,
      PROXYTUNE_FAMILY: modelOfRole(made, role).family,
      PROXYTUNE_MODEL: modelOfRole(made, role).id,
      PROXYTUNE_BASE_MODEL: `s3://${BUCKET}/models/${modelOfRole(made, role).id}/`,
      PROXYTUNE_CHUNKS: `s3://${BUCKET}/intermediates/${RUN}/chunks/${stage}/`,
      PROXYTUNE_FAILURE_NOTE: `s3://${made.bucket}/${keys.failureNote(made.runId, jobName(identity(stage), PREFIX))}`,
    });
  });
});
