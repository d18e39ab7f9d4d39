/** The models and the container image of a run are checked before any GPU is paid for, and the plan keeps to them. */
import { DescribeTrainingJobCommand } from '@aws-sdk/client-sagemaker';
import { handler } from '../../../lambdas/plan-run/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { ecr, sagemaker } from '../../../lib/aws/clients.ts';
import { listKeys } from '../../../lib/aws/s3.ts';
import { listJobs, readRun } from '../../../lib/aws/table.ts';
import { keys } from '../../../lib/core/keys.ts';
import { planSchema } from '../../../lib/core/plan/plan.ts';
import type { JobStage } from '../../../lib/core/words.ts';
import { registerImage } from '../../../lib/local/deploy/image.ts';
import { Bench, IMAGE } from '../bench.ts';
import { jobsOfStage } from '../jobs.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);

/** Starts a run that is refused: it leaves a record, but no plan. @returns name and message of the error */
async function refused(subject: string): Promise<string> {
  const input = await bench.upload(subject);
  const error = await handler(input).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(await readRun(bench.context, input.runId)).toMatchObject({ status: 'RUNNING' });
  expect(await listKeys(bench.context, keys.run(input.runId))).toEqual([]);
  return `${error?.name}: ${error?.message}`;
}

describe('a model is checked before any GPU is paid for', () => {
  const prefix = keys.model('dino-tiny');
  afterEach(async () => {
    await bench.delete(`${prefix}stray.safetensors`);
    await bench.putModel('dino-tiny');
  });

  test('an empty folder is named', async () => {
    await bench.delete(`${prefix}config.json`);
    await bench.delete(`${prefix}manifest.json`);
    expect(await refused('unready')).toContain(
      'ModelMissing: The model dino-tiny is missing. Given: s3://lambdas-test/models/dino-tiny/ is empty.',
    );
  });

  test('a partly imported model has no manifest', async () => {
    await bench.delete(`${prefix}manifest.json`);
    expect(await refused('unready')).toContain('has 1 files but no manifest.json, which is written last');
  });

  test.each([
    ['a missing file', () => bench.delete(`${prefix}config.json`), 'config.json is missing'],
    ['another size', () => bench.put(`${prefix}config.json`, '{ }'), 'has 3 bytes instead of 2'],
    [
      'other content of the same size',
      () => bench.put(`${prefix}config.json`, '[]'),
      'has changed since its import',
    ],
    ['a new file', () => bench.put(`${prefix}stray.safetensors`, 'x'), 'stray.safetensors was not imported'],
    [
      'a corrupt manifest',
      () => bench.put(`${prefix}manifest.json`, '{"version":1}'),
      'manifest.json: it is of',
    ],
  ])('%s is a changed model', async (_, change, why) => {
    await change();
    const said = await refused('unready');
    expect(said).toMatch(/^ModelChanged: The model dino-tiny is not the one that was imported\./);
    expect(said).toContain(why);
  });

  test('a folder of the console is not a file', async () => {
    await bench.put(`${prefix}unet/`, '');
    await expect(handler(await bench.upload('ready'))).resolves.toHaveProperty('planKey');
    await bench.delete(`${prefix}unet/`);
  });
});

describe('the container image is checked before any GPU is paid for', () => {
  const withTag = (tag: string) => `${IMAGE.registry}/${IMAGE.repository}:${tag}`;
  afterEach(() => {
    process.env.IMAGE_URI = withTag(IMAGE.tag);
  });
  const refusedWith = (image: string) => {
    process.env.IMAGE_URI = image;
    return refused('no-image');
  };

  test.each([
    ['a tag that was never pushed', withTag('later'), 'ImageNotFoundException'],
    [
      'a repository that is gone',
      `${IMAGE.registry}/other-stack:${IMAGE.tag}`,
      'RepositoryNotFoundException',
    ],
  ])('%s is a missing image', async (_, image, cause) => {
    const said = await refusedWith(image);
    expect(said).toContain('ImageMissing: The container image of the jobs is not in its repository.');
    expect(said).toContain(`Given: ${image} (${cause}). What to do: run cdk deploy again`);
  });

  test.each([
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ])('an image with a manifest of %s, which CreateModel refuses, is not supported', async (mediaType) => {
    const tag = mediaType.replace(/\W+/g, '-');
    await registerImage(ecr(), { repository: IMAGE.repository, tag }, mediaType);
    const said = await refusedWith(withTag(tag));
    expect(said).toContain('ImageUnsupported: SageMaker cannot serve the container image');
    expect(said).toContain(`Given: ${mediaType} of ${withTag(tag)}.`);
  });

  test('the plan has the image, and jobs use that one although another was deployed since', async () => {
    const runId = await bench.plan('pictured');
    const plan = planSchema.parse(JSON.parse((await bench.get(keys.plan(runId))).text));
    expect(plan.image).toEqual({
      uri: withTag(IMAGE.tag),
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
    process.env.IMAGE_URI = withTag('later');
    const { jobName } = await startJob({ runId, stage: 'teach', taskToken: 'nobody waits' });
    const { AlgorithmSpecification } = await sagemaker().send(
      new DescribeTrainingJobCommand({ TrainingJobName: jobName }),
    );
    expect(AlgorithmSpecification?.TrainingImage).toBe(withTag(IMAGE.tag));
  });
});

describe('a model that has changed since the run was planned', () => {
  afterEach(() => bench.putModel('sdxl-tiny'));
  const start = (runId: string, stage: JobStage) => startJob({ runId, stage, taskToken: 'nobody waits' });

  test('is found before the job is created, by the stages that read it', async () => {
    const runId = await bench.plan('exchanged');
    await bench.finish(runId, 'teach');
    await bench.putModel('sdxl-tiny', '{"revision": 2}');
    const created = bench.gate.called('CreateTransformJob').length;
    for (const what of [/whose files have the digest \w{16} instead of \w{16}/, /without manifest\.json/]) {
      await expect(start(runId, 'synthesize')).rejects.toMatchObject({
        name: 'ModelChanged',
        message: expect.stringMatching(what),
      });
      await bench.delete(keys.modelManifest('sdxl-tiny'));
    }
    expect(bench.gate.called('CreateTransformJob')).toHaveLength(created);
    expect(await jobsOfStage(bench.context, runId, 'synthesize')).toEqual([]);
    await bench.put(`${keys.pictures(runId, 'synthesize')}a0/proxies`, 'what the student reads');
    expect((await start(runId, 'learn')).jobName).toMatch(/-learn-a1$/);
    // The same files again, from wherever: the run goes on.
    await bench.putModel('sdxl-tiny');
    expect((await start(runId, 'synthesize')).jobName).toMatch(/-synthesize-a1$/);
  });

  test('ends no job that runs already', async () => {
    const runId = await bench.plan('under-way');
    bench.control(`proxytune-${runId}-teach-a1`, { hang: true });
    const first = await start(runId, 'teach');
    await bench.putModel('sdxl-tiny', '{"revision": 2}');
    expect(await start(runId, 'teach')).toEqual(first);
    expect(await listJobs(bench.context, runId)).toMatchObject([{ stage: 'teach', state: 'WAITING' }]);
  });
});
