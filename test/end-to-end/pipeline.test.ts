/** The whole road on one machine: real services, real lambdas, real trainings, and the troubles of a real cloud. */
import { createHash } from 'node:crypto';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import sharp from 'sharp';
import { metrics as metricsSchema } from '../../lib/core/contract/metrics.ts';
import { keys } from '../../lib/core/keys.ts';
import { modelManifest } from '../../lib/core/models/manifest.ts';
import { endAll } from './commands.ts';
import { expectGenerated, expectStopped, expectUnknown } from './generating.ts';
import { expectPair, PAIRS } from './pairs.ts';
import {
  executionsOf,
  jobsOf,
  lambdaName,
  listKeys,
  openRoad,
  type Road,
  readBytes,
  readText,
  SMALL,
  until,
  untilOver,
  upload,
} from './pipeline.ts';
import { expectTroublesSurvived } from './troubles.ts';

const MINUTE = 60_000;
let road: Road;
/** The run of the first test, for those that use what it made. */
let finished = '';

beforeAll(async () => {
  road = await openRoad(20);
}, 3 * MINUTE);

afterAll(async () => {
  endAll();
  await road?.end();
}, MINUTE);

test(
  'one upload of photos becomes one run and one report, however often events are delivered',
  async () => {
    road.cloud.faults.duplicateEvents(3);
    const version = await upload(road, 'pet', { ...SMALL, ...PAIRS.uploaded });
    // S3 delivers at least once: the same event comes three times in all.
    const event = {
      'detail-type': 'Object Created',
      source: 'aws.s3',
      detail: {
        bucket: { name: road.bucket },
        object: { key: 'subjects/pet/subject.json', 'version-id': version },
      },
    };
    const FunctionName = await lambdaName(road, 'StartRun');
    for (let time = 0; time < 2; time++) {
      const { FunctionError } = await road.lambda.send(
        new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }),
      );
      expect(FunctionError).toBeUndefined();
    }
    const run = await untilOver(road, 'pet');
    road.cloud.faults.duplicateEvents(1);
    expect(run).toMatchObject({ status: 'SUCCEEDED', error: undefined });
    expect(await executionsOf(road, 'pet')).toHaveLength(1);
    const jobs = await jobsOf(road, run.name);
    expect(jobs).toEqual(
      Object.fromEntries(
        ['teach', 'synthesize', 'learn', 'sample-teacher', 'sample-student', 'evaluate'].map((stage) => [
          `proxytune-${run.name}-${stage}-a1`,
          'Completed',
        ]),
      ),
    );
    await expectReport(run.name);
    finished = run.name;
  },
  8 * MINUTE,
);

describe('with what that run has made, a prompt of one’s own', () => {
  test(
    'is drawn, here and as in an account: the same seeds give the same files',
    () => expectGenerated(road, finished),
    4 * MINUTE,
  );
  test('is stopped by Ctrl-C, and nothing of it stays', () => expectStopped(road, finished), 2 * MINUTE);
  test('is drawn by no run that does not exist', () => expectUnknown(road), MINUTE);
});

async function expectReport(run: string): Promise<void> {
  const page = await readText(road, `runs/${run}/report/index.html`);
  expect(page).toContain('<!doctype html>');
  expect(page).not.toMatch(/proxytune:(stages|job)/);
  expectPair(page ?? '', PAIRS.uploaded);
  // Where the page says that the adapter is, it is.
  const archive = /s3:\/\/[^/]+\/(runs\/\S+-teach-a1\/output\/model\.tar\.gz)/.exec(page ?? '')?.[1];
  expect(await readText(road, archive ?? 'none')).toBeDefined();
  const metrics = metricsSchema.parse(
    JSON.parse((await readText(road, `runs/${run}/report/metrics.json`)) ?? ''),
  );
  // The teacher was looked at all along the way, and the report says which checkpoint was handed on.
  const { chosen, points = [] } = metrics.choice ?? {};
  expect(points.length).toBeGreaterThan(2);
  expect(points.map(({ step }) => step).slice(1)).toContain(chosen);
  expect(metrics.rows.map((row) => row.name).sort()).toEqual([
    'photos',
    'proxies',
    'student',
    'student-base',
    'teacher',
    'teacher-base',
  ]);
  expect(metrics.stages.every((stage) => stage.attempts === 1 && stage.seconds > 0)).toBe(true);
  expect(await readText(road, `runs/${run}/report/metrics.csv`)).toContain('clip_i');
  await expectPhotosShown(run, page ?? '');
}

/** The report's references are the uploaded photos: nearly the same pictures, whatever their size. */
async function expectPhotosShown(run: string, page: string): Promise<void> {
  const pictures = (await listKeys(road, `runs/${run}/report/`)).filter((key) =>
    /\/photos\/\d+\.(png|jpg)$/.test(key),
  );
  const references = (await listKeys(road, `runs/${run}/references/`)).filter((key) => key.endsWith('.png'));
  expect(pictures).toHaveLength(5);
  expect(references).toHaveLength(5);
  for (const [at, key] of pictures.sort().entries()) {
    expect(page).toContain(key.slice(`runs/${run}/report/`.length));
    const shown = await small(await readBytes(road, key));
    const given = await small(await readBytes(road, references.sort()[at] ?? ''));
    const difference =
      shown.reduce((sum, value, pixel) => sum + Math.abs(value - (given[pixel] ?? 0)), 0) / shown.length;
    expect(difference).toBeLessThan(8);
  }
}

function small(bytes: Buffer): Promise<Buffer> {
  return sharp(bytes).resize(16, 16, { fit: 'cover' }).removeAlpha().raw().toBuffer();
}

test(
  'a run survives a lost event, spot interruptions and a time limit; its proxies are drawn on spot and curated, in rounds',
  () => expectTroublesSurvived(road),
  8 * MINUTE,
);

test(
  'a trainer that crashes ends the run with its own message, and the user is told why and what to do',
  async () => {
    const queue = await mailbox();
    const request = { ...SMALL, notify: 'owner@example.com' };
    // Brought in as they are: the container finds out, nobody before it can.
    const mend = await spoilWeights(true);
    try {
      await upload(road, 'crash', request);
      const run = await untilOver(road, 'crash');
      expect(run).toMatchObject({ status: 'FAILED', error: 'ModelMismatch' });
      const mail = await until(() => readMail(queue));
      for (const text of [run.cause ?? '', mail.Message]) {
        expect(text).toContain('unet');
        expect(text).toContain('What to do:');
      }
      expect(mail.Subject).toContain('crash failed (ModelMismatch)');
      expect(mail.Message).toContain(run.name);
      expect(Object.values(await jobsOf(road, run.name))).toEqual(['Failed']);
    } finally {
      await mend();
    }
  },
  4 * MINUTE,
);

test(
  'a model that was changed after it was brought in is found before any job exists',
  async () => {
    const mend = await spoilWeights(false);
    try {
      await upload(road, 'changed', SMALL);
      const run = await untilOver(road, 'changed');
      expect(run).toMatchObject({ status: 'FAILED', error: 'ModelChanged' });
      expect(run.cause).toContain('unet/diffusion_pytorch_model.safetensors has 10 bytes instead of');
      expect(await jobsOf(road, run.name)).toEqual({});
    } finally {
      await mend();
    }
  },
  MINUTE,
);

/** Weights that are no weights. @param known - by the manifest too. @returns what puts the sound ones back */
async function spoilWeights(known: boolean): Promise<() => Promise<void>> {
  const model = keys.model('sdxl-tiny');
  const path = 'unet/diffusion_pytorch_model.safetensors';
  const put = (Key: string, Body: Uint8Array | string) =>
    road.s3.send(new PutObjectCommand({ Bucket: road.bucket, Key, Body }));
  const sound = await readBytes(road, model + path);
  const manifest = (await readText(road, keys.modelManifest('sdxl-tiny'))) ?? '';
  const { ETag } = await put(model + path, Buffer.from('no weights'));
  if (known) {
    const told = modelManifest.parse(JSON.parse(manifest));
    const sha256 = createHash('sha256').update('no weights').digest('hex');
    const entry = { path, size: 10, sha256, etag: ETag?.replaceAll('"', '') ?? '', modified: null };
    const files = told.files.map((file) => (file.path === path ? entry : file));
    await put(keys.modelManifest('sdxl-tiny'), JSON.stringify({ ...told, files }));
  }
  return async () => {
    await put(model + path, sound);
    await put(keys.modelManifest('sdxl-tiny'), manifest);
  };
}

test(
  'a request that cannot be done is refused before any job exists',
  async () => {
    await upload(road, 'dear', { ...SMALL, maxUsd: 0.0001 });
    const run = await untilOver(road, 'dear');
    expect(run).toMatchObject({ status: 'FAILED', error: 'OverBudget' });
    expect(await jobsOf(road, run.name)).toEqual({});
  },
  MINUTE,
);

const sqs = (): SQSClient =>
  new SQSClient({ ...road.config, endpoint: road.cloud.environment.AWS_ENDPOINT_URL ?? '' });

/** A queue that gets what the topic sends. */
async function mailbox(): Promise<string> {
  const { QueueUrl = '' } = await sqs().send(new CreateQueueCommand({ QueueName: 'mailbox' }));
  const { Attributes } = await sqs().send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  const sns = new SNSClient({ ...road.config, endpoint: road.cloud.environment.AWS_ENDPOINT_URL ?? '' });
  const TopicArn = road.cloud.outputs.TopicArn;
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: Attributes?.QueueArn }));
  return QueueUrl;
}

async function readMail(QueueUrl: string): Promise<{ Subject: string; Message: string } | undefined> {
  const { Messages = [] } = await sqs().send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
  return Messages[0]?.Body === undefined ? undefined : JSON.parse(Messages[0].Body);
}

test(
  'two clouds on one machine do not meet',
  async () => {
    const other = await openRoad(20);
    try {
      const ports = [road, other].flatMap(({ cloud }) =>
        ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_SFN', 'AWS_ENDPOINT_URL_SAGEMAKER'].map(
          (name) => cloud.environment[name],
        ),
      );
      expect(new Set(ports).size).toBe(6);
      await other.s3.send(new PutObjectCommand({ Bucket: other.bucket, Key: 'mine', Body: 'only here' }));
      expect(await readText(other, 'mine')).toBe('only here');
      await expect(listKeys(road, 'mine')).resolves.toEqual([]);
    } finally {
      await other.end();
    }
  },
  MINUTE,
);
