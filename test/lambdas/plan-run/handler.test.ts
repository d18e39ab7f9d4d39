/** Planning and refusing, against the emulator's S3, DynamoDB and SNS. */
import { ListSubscriptionsByTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { handler } from '../../../lambdas/plan-run/handler.ts';
import { sns } from '../../../lib/aws/clients.ts';
import { listKeys } from '../../../lib/aws/s3.ts';
import { finishRun, readRun } from '../../../lib/aws/table.ts';
import { chunk as chunkSchema } from '../../../lib/core/contract/pictures.ts';
import { keys } from '../../../lib/core/keys.ts';
import { chunksOf } from '../../../lib/core/plan/chunks.ts';
import { planSchema } from '../../../lib/core/plan/plan.ts';
import { STANDARD_STAGES, TRANSFORM_STAGES } from '../../../lib/core/words.ts';
import { Bench, BUCKET, REQUEST } from '../bench.ts';

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
    stages: STANDARD_STAGES,
    planKey: `runs/${runId}/plan.json`,
    photosPrefix: 'subjects/rex/photos/',
    referencesPrefix: `intermediates/${runId}/references/`,
    captions: { category: 'dog', tokenWord: 'ohwx', vocabulary: null },
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

test('MaSC is planned where both of its models are imported, and not missed where they are not', async () => {
  const planned = async (subject: string) => {
    const { planKey } = await handler(await bench.upload(subject));
    return planSchema.parse(JSON.parse((await bench.get(planKey)).text));
  };
  expect((await planned('without')).models).not.toHaveProperty('siglip');
  await bench.putModel('siglip2-tiny');
  expect((await planned('half')).models).not.toHaveProperty('siglip');
  const digest = await bench.putModel('clipseg-tiny');
  try {
    const { models, stages } = await planned('both');
    expect(models).toMatchObject({
      siglip: { id: 'siglip2-tiny' },
      segmenter: { id: 'clipseg-tiny', digest },
    });
    expect(stages.at(-1)).toMatchObject({
      hyperparameters: { mask_prompt: 'a dog' },
      channels: { siglip: 'models/siglip2-tiny/', segmenter: 'models/clipseg-tiny/' },
    });
  } finally {
    for (const id of ['siglip2-tiny', 'clipseg-tiny'])
      for (const key of await listKeys(bench.context, keys.model(id))) await bench.delete(key);
  }
});

test('DreamSim is planned where it is imported', async () => {
  const digest = await bench.putModel('dreamsim-tiny');
  try {
    const { planKey } = await handler(await bench.upload('judged'));
    const { models, stages } = planSchema.parse(JSON.parse((await bench.get(planKey)).text));
    expect(models).toMatchObject({ dreamsim: { id: 'dreamsim-tiny', digest } });
    expect(models).not.toHaveProperty('siglip');
    expect(stages.at(-1)).toMatchObject({ channels: { dreamsim: 'models/dreamsim-tiny/' } });
  } finally {
    for (const key of await listKeys(bench.context, keys.model('dreamsim-tiny'))) await bench.delete(key);
  }
});

test('a request that was deleted before its run began is not planned', async () => {
  const input = await bench.upload('unwanted');
  await bench.delete(input.key);
  await expect(handler(input)).rejects.toMatchObject({
    name: 'Interrupted',
    message: expect.stringMatching(
      /deleted before its run had started.*What to do: nothing if you no longer want/s,
    ),
  });
  expect(await listKeys(bench.context, keys.run(input.runId))).toEqual([]);
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

test.each(['Subject.json', 'subject.json.txt'])(
  'a request called %s is answered with its right name',
  async (name) => {
    const input = {
      ...(await bench.upload('typo')),
      key: `subjects/typo/${name}`,
      runId: `typo-${name.length}`,
    };
    await expect(handler(input)).rejects.toMatchObject({
      name: 'RequestInvalid',
      message: expect.stringMatching(
        new RegExp(
          `Given: subjects/typo/${name}\\..*What to do: upload it as subjects/typo/subject\\.json`,
          's',
        ),
      ),
    });
    expect(await readRun(bench.context, input.runId)).toMatchObject({ subject: 'typo', status: 'RUNNING' });
  },
);

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
