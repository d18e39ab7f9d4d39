/** Planning and refusing, against the emulator's S3, DynamoDB and SNS. */
import { DescribeTrainingJobCommand } from '@aws-sdk/client-sagemaker';
import { ListSubscriptionsByTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { handler } from '../../../lambdas/plan-run/handler.ts';
import { handler as startJob } from '../../../lambdas/start-job/handler.ts';
import { ecr, sagemaker, sns } from '../../../lib/aws/clients.ts';
import { listKeys } from '../../../lib/aws/s3.ts';
import { finishRun, listJobs, readRun } from '../../../lib/aws/table.ts';
import { chunk as chunkSchema } from '../../../lib/core/contract/pictures.ts';
import { keys } from '../../../lib/core/keys.ts';
import { chunksOf } from '../../../lib/core/plan/chunks.ts';
import { planSchema } from '../../../lib/core/plan/plan.ts';
import { type JobStage, TRANSFORM_STAGES } from '../../../lib/core/words.ts';
import { registerImage } from '../../../lib/local/deploy/image.ts';
import { Bench, BUCKET, IMAGE, REQUEST } from '../bench.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 90_000);
afterAll(() => bench?.close(), 30_000);

async function addresses(): Promise<string[]> {
  const { Subscriptions = [] } = await sns().send(
    new ListSubscriptionsByTopicCommand({ TopicArn: process.env.TOPIC_ARN }),
  );
  return Subscriptions.filter(({ Protocol }) => Protocol === 'email').map(({ Endpoint = '' }) => Endpoint);
}

test('a request becomes a plan, every chunk of it and a record; a repeat changes nothing', async () => {
  const input = await bench.upload('rex', { ...REQUEST, notify: 'owner@example.com' });
  const { runId } = input;
  const result = await handler(input);
  expect(result).toEqual({
    runId,
    bucket: BUCKET,
    curated: false,
    planKey: `runs/${runId}/plan.json`,
    photosPrefix: 'subjects/rex/photos/',
    referencesPrefix: `runs/${runId}/references/`,
  });
  const text = (await bench.get(result.planKey)).text;
  const plan = planSchema.parse(JSON.parse(text));
  expect(plan).toMatchObject({ runId, subject: 'rex', bucket: BUCKET, proxies: 8 });
  expect(plan.models.teacher).toMatchObject({ id: 'sdxl-tiny', digest: await bench.putModel('sdxl-tiny') });
  expect(plan.versions).toEqual({ proxytune: '0.0.0-test' });
  for (const stage of TRANSFORM_STAGES) {
    const written = await listKeys(bench.context, keys.chunks(runId, stage));
    const found = await Promise.all(
      written.map(async (key) => chunkSchema.parse(JSON.parse((await bench.get(key)).text))),
    );
    expect(found).toEqual(chunksOf(plan, stage));
    expect(found).toHaveLength(stage === 'synthesize' ? 4 : 2);
  }
  const run = await readRun(bench.context, runId);
  expect(run).toMatchObject({
    runId,
    subject: 'rex',
    bucket: BUCKET,
    status: 'RUNNING',
    notify: 'owner@example.com',
  });
  expect(await addresses()).toEqual(['owner@example.com']);

  const before = await listKeys(bench.context, keys.run(runId));
  expect(await handler(input)).toEqual(result);
  expect((await bench.get(result.planKey)).text).toBe(text);
  expect(await listKeys(bench.context, keys.run(runId))).toEqual(before);
  expect(await readRun(bench.context, runId)).toMatchObject({ status: 'RUNNING', startedAt: run?.startedAt });
  expect(await addresses()).toEqual(['owner@example.com']);
});

test('the plan is made from the version that gave the signal, not from a later one', async () => {
  const first = await bench.upload('bello', { ...REQUEST, category: 'cat' });
  await bench.upload('bello', { ...REQUEST, category: 'fox' });
  await handler(first);
  expect(JSON.parse((await bench.get(keys.plan(first.runId))).text)).toMatchObject({ category: 'cat' });
});

test('an upload without version, identified by its etag, is read as it is now', async () => {
  const input = await bench.upload('lassie');
  const { planKey } = await handler({ ...input, version: '0123456789abcdef0123456789abcdef' });
  expect(await bench.exists(planKey)).toBe(true);
});

test('an address that is subscribed to all runs already stays so, and the run goes on', async () => {
  const Endpoint = 'everything@example.com';
  await sns().send(new SubscribeCommand({ TopicArn: process.env.TOPIC_ARN, Protocol: 'email', Endpoint }));
  const input = await bench.upload('known', { ...REQUEST, notify: Endpoint });
  await expect(handler(input)).resolves.toHaveProperty('planKey');
  expect((await addresses()).filter((address) => address === Endpoint)).toHaveLength(1);
  expect(await readRun(bench.context, input.runId)).not.toHaveProperty('warning');
});

test('a topic that refuses the address leaves a warning, which a resumed run loses', async () => {
  const topic = process.env.TOPIC_ARN;
  const input = await bench.upload('mute', { ...REQUEST, notify: 'mute@example.com' });
  process.env.TOPIC_ARN = `${topic}-gone`;
  try {
    await expect(handler(input)).resolves.toHaveProperty('planKey');
  } finally {
    process.env.TOPIC_ARN = topic;
  }
  expect(await readRun(bench.context, input.runId)).toMatchObject({
    status: 'RUNNING',
    notify: 'mute@example.com',
    warning: expect.stringMatching(/^mute@example.com could not be subscribed, .*NotFound.*not affected\.$/),
  });
  await handler(input);
  expect(await readRun(bench.context, input.runId)).not.toHaveProperty('warning');
});

test('a folder whose name cannot be used is refused, and its author notified', async () => {
  const input = await bench.upload('my dog', { ...REQUEST, notify: 'named@example.com' });
  await expect(handler(input)).rejects.toMatchObject({
    name: 'RequestInvalid',
    message: expect.stringContaining('my dog'),
  });
  expect(await readRun(bench.context, input.runId)).toMatchObject({ notify: 'named@example.com' });
});

test.each([
  ['RequestInvalid', { ...REQUEST, consent: false, notify: 'refused@example.com' }, /consent/],
  ['RequestInvalid', '{"category": "dog",, "notify": "refused@example.com"}', /not valid JSON/],
  ['TokenWordUnusable', { ...REQUEST, tokenWord: 'Ohwx', notify: 'refused@example.com' }, /Ohwx/],
  ['OverBudget', { ...REQUEST, maxUsd: 0.001, notify: 'refused@example.com' }, /maxUsd/],
])('%s leaves no plan, but a record with the address to notify', async (name, request, why) => {
  const input = await bench.upload('refused', request);
  await expect(handler(input)).rejects.toMatchObject({
    name,
    message: expect.stringMatching(why),
  });
  expect(await listKeys(bench.context, keys.run(input.runId))).toEqual([]);
  expect(await readRun(bench.context, input.runId)).toMatchObject({
    subject: 'refused',
    status: 'RUNNING',
    notify: 'refused@example.com',
  });
  // Nobody is asked to confirm an address for a run that will not be.
  expect(await addresses()).not.toContain('refused@example.com');
});

test('an invalid address is nobody’s', async () => {
  const input = await bench.upload('invalid', { ...REQUEST, notify: 'nobody' });
  await expect(handler(input)).rejects.toMatchObject({ name: 'RequestInvalid' });
  expect(await readRun(bench.context, input.runId)).not.toHaveProperty('notify');
  expect(await addresses()).not.toContain('nobody');
});

describe('a model is checked before any GPU is paid for', () => {
  const prefix = keys.model('dino-tiny');
  const refused = async () => {
    const input = await bench.upload('unready');
    const error = await handler(input).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(await readRun(bench.context, input.runId)).toMatchObject({ status: 'RUNNING' });
    expect(await listKeys(bench.context, keys.run(input.runId))).toEqual([]);
    return `${error?.name}: ${error?.message}`;
  };
  afterEach(async () => {
    await bench.delete(`${prefix}stray.safetensors`);
    await bench.putModel('dino-tiny');
  });

  test('an empty folder is named', async () => {
    await bench.delete(`${prefix}config.json`);
    await bench.delete(`${prefix}manifest.json`);
    expect(await refused()).toContain(
      'ModelMissing: The model dino-tiny is missing. Given: s3://lambdas-test/models/dino-tiny/ is empty.',
    );
  });

  test('a partly imported model has no manifest', async () => {
    await bench.delete(`${prefix}manifest.json`);
    expect(await refused()).toContain('has 1 files but no manifest.json, which is written last');
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
    const said = await refused();
    expect(said).toMatch(/^ModelChanged: The model dino-tiny is not the one that was imported\./);
    expect(said).toContain(why);
  });

  test('a folder of the console is not a file', async () => {
    await bench.put(`${prefix}unet/`, '');
    await expect(handler(await bench.upload('ready'))).resolves.toHaveProperty('planKey');
    await bench.delete(`${prefix}unet/`);
  });
});

test('a file of any size under the name of a request is refused, and its author is notified', async () => {
  const text = `{"notify": "author@example.com", "category": "${'d'.repeat(4_000_000)}"}`;
  const upload = await bench.upload('endless', text);
  await expect(handler(upload)).rejects.toMatchObject({
    name: 'RequestInvalid',
    message: expect.stringMatching(
      /too long to be a request. Given: 40000\d\d bytes. Allowed: 65536 characters/,
    ),
  });
  expect(await readRun(bench.context, upload.runId)).toMatchObject({ notify: 'author@example.com' });
});

describe('the container image is checked before any GPU is paid for', () => {
  const withTag = (tag: string) => `${IMAGE.registry}/${IMAGE.repository}:${tag}`;
  afterEach(() => {
    process.env.IMAGE_URI = withTag(IMAGE.tag);
  });
  const refused = async (image: string) => {
    process.env.IMAGE_URI = image;
    const input = await bench.upload('no-image');
    const error = await handler(input).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(await listKeys(bench.context, keys.run(input.runId))).toEqual([]);
    return `${error?.name}: ${error?.message}`;
  };

  test.each([
    ['a tag that was never pushed', withTag('later'), 'ImageNotFoundException'],
    [
      'a repository that is gone',
      `${IMAGE.registry}/other-stack:${IMAGE.tag}`,
      'RepositoryNotFoundException',
    ],
  ])('%s is a missing image', async (_, image, cause) => {
    const said = await refused(image);
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
    const said = await refused(withTag(tag));
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

test('a resumed run runs again, and keeps the time of its first start', async () => {
  const input = await bench.upload('phoenix');
  await handler(input);
  const first = await readRun(bench.context, input.runId);
  await finishRun(bench.context, input.runId, {
    status: 'STOPPED',
    endedAt: new Date().toISOString(),
    error: 'Interrupted',
    message: 'by hand',
  });
  await handler({ ...input, version: '' });
  const again = await readRun(bench.context, input.runId);
  expect(again).toMatchObject({ status: 'RUNNING', startedAt: first?.startedAt });
  for (const ending of ['endedAt', 'error', 'message', 'reported']) expect(again).not.toHaveProperty(ending);
  expect(Date.parse(again?.begunAt ?? '')).toBeGreaterThan(Date.parse(first?.begunAt ?? ''));
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
    expect((await listJobs(bench.context, runId)).filter(({ stage }) => stage === 'synthesize')).toEqual([]);
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
