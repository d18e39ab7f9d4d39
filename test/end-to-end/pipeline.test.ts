/** The complete pipeline on one machine: real services, lambdas and trainings, with the faults of a real cloud. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { names } from '../../lib/core/contract/names.ts';
import { parseTrace } from '../../lib/local/iam/trace.ts';
import { expectRecorded } from '../cloud/permissions/traces.ts';
import { receivesFrom } from '../local/emulator/helpers.ts';
import { call, endAll } from './commands.ts';
import { expectSurvivesFaults } from './faults.ts';
import { expectGenerated, expectStopped, expectUnknown } from './generate.ts';
import { expectMethods } from './methods.ts';
import { expectPair, PAIRS } from './pairs.ts';
import { stackDeletedDuringRun } from './passes/ending.ts';
import {
  executionsOf,
  JOB_PREFIX,
  jobsOf,
  lambdaName,
  listKeys,
  openCloud,
  readBytes,
  readText,
  SMALL,
  type TestCloud,
  until,
  untilOver,
  upload,
  uploadCaption,
} from './pipeline.ts';
import { expectMistakesAnswered, expectRepeatNamed } from './uploads.ts';
import { corruptWeights } from './weights.ts';

const MINUTE = 60_000;
let cloud: TestCloud;
/** The run of the first test, for tests that use its results. */
let finished = '';

const folder = mkdtempSync(join(tmpdir(), 'proxytune-trace-'));
const trace = join(folder, 'trace.jsonl');

beforeAll(async () => {
  cloud = await openCloud(20, { trace });
}, 3 * MINUTE);

afterAll(async () => {
  endAll();
  await cloud?.end();
  const calls = existsSync(trace) ? parseTrace(readFileSync(trace, 'utf8')) : [];
  rmSync(folder, { recursive: true, force: true });
  expectRecorded(calls);
}, MINUTE);

test(
  'one upload of photos gives one run and one report, even if events are duplicated',
  async () => {
    cloud.local.faults.duplicateEvents(3);
    await uploadCaption(cloud, 'pet', 'a dog on a lawn\r\n');
    const version = await upload(cloud, 'pet', { ...SMALL, ...PAIRS.uploaded });
    // S3 delivers at least once: the same event is delivered three times in total.
    const event = {
      'detail-type': 'Object Created',
      source: 'aws.s3',
      detail: {
        bucket: { name: cloud.bucket },
        object: { key: 'subjects/pet/subject.json', 'version-id': version },
      },
    };
    const FunctionName = await lambdaName(cloud, 'StartRun');
    for (let time = 0; time < 2; time++) {
      const { FunctionError } = await cloud.lambda.send(
        new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }),
      );
      expect(FunctionError).toBeUndefined();
    }
    const run = await untilOver(cloud, 'pet');
    cloud.local.faults.duplicateEvents(1);
    expect(run).toMatchObject({ status: 'SUCCEEDED', error: undefined });
    expect(await executionsOf(cloud, 'pet')).toHaveLength(1);
    const jobs = await jobsOf(cloud, run.name);
    expect(jobs).toEqual(
      Object.fromEntries(
        ['teach', 'synthesize', 'learn', 'sample-teacher', 'sample-student', 'evaluate'].map((stage) => [
          `${JOB_PREFIX}${run.name}-${stage}-a1`,
          'Completed',
        ]),
      ),
    );
    await expectReport(run.name);
    finished = run.name;
  },
  8 * MINUTE,
);

test(
  'the same upload again is answered with that run, and creates no job',
  () => expectRepeatNamed(cloud, finished, { ...SMALL, ...PAIRS.uploaded }),
  2 * MINUTE,
);

test(
  'empty and mistaken uploads are passed over or answered',
  () => expectMistakesAnswered(cloud),
  2 * MINUTE,
);

describe('generating images for a new prompt with the adapters of that run', () => {
  test(
    'gives the same files for the same seeds, locally and as in an account',
    () => expectGenerated(cloud, finished),
    4 * MINUTE,
  );
  test('is stopped by Ctrl-C without leaving anything', () => expectStopped(cloud, finished), 2 * MINUTE);
  test('fails for an unknown run', () => expectUnknown(cloud), MINUTE);
});

async function expectReport(run: string): Promise<void> {
  const page = await readText(cloud, `runs/${run}/report/index.html`);
  expect(page).toContain('<!doctype html>');
  expect(page).not.toMatch(/proxytune:(stages|job)/);
  expectPair(page ?? '', PAIRS.uploaded);
  // The caption went from the upload to the teacher's job and to the report, for its photo alone.
  expect(await readText(cloud, `intermediates/${run}/references/reference-00.txt`)).toBe(
    'a ohwx dog on a lawn\n',
  );
  expect(page?.match(/<figcaption>a ohwx dog on a lawn<\/figcaption>/g)).toHaveLength(1);
  // The adapter is where the page says.
  const archive = /s3:\/\/[^/]+\/(runs\/\S+-teach-a1\/output\/model\.tar\.gz)/.exec(page ?? '')?.[1];
  expect(await readText(cloud, archive ?? 'none')).toBeDefined();
  const metrics = metricsSchema.parse(
    JSON.parse((await readText(cloud, `runs/${run}/report/metrics.json`)) ?? ''),
  );
  // The teacher was validated during the training, and the report shows the selected checkpoint.
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
  expect(await readText(cloud, `runs/${run}/report/metrics.csv`)).toContain('clip_i');
  await expectPhotosShown(run, page ?? '');
}

/** Checks that the references in the report are the uploaded photos, apart from their size. */
async function expectPhotosShown(run: string, page: string): Promise<void> {
  const pictures = (await listKeys(cloud, `runs/${run}/report/`)).filter((key) =>
    /\/photos\/\d+\.(png|jpg)$/.test(key),
  );
  const references = (await listKeys(cloud, `intermediates/${run}/references/`)).filter((key) =>
    key.endsWith('.png'),
  );
  expect(pictures).toHaveLength(5);
  expect(references).toHaveLength(5);
  for (const [at, key] of pictures.sort().entries()) {
    expect(page).toContain(key.slice(`runs/${run}/report/`.length));
    const shown = await small(await readBytes(cloud, key));
    const reference = await small(await readBytes(cloud, references.sort()[at] ?? ''));
    const difference =
      shown.reduce((sum, value, pixel) => sum + Math.abs(value - (reference[pixel] ?? 0)), 0) / shown.length;
    expect(difference).toBeLessThan(8);
  }
}

function small(bytes: Buffer): Promise<Buffer> {
  return sharp(bytes).resize(16, 16, { fit: 'cover' }).removeAlpha().raw().toBuffer();
}

test('methods without a teacher run their student alone', () => expectMethods(cloud), 8 * MINUTE);

test(
  'a run survives dropped events, spot interruptions and a time limit; its proxies are generated on spot and curated, in rounds',
  () => expectSurvivesFaults(cloud),
  8 * MINUTE,
);

test(
  'a trainer that crashes ends the run with its own message, and the user is notified of the reason and the remedy',
  async () => {
    const queue = await mailbox();
    const request = { ...SMALL, notify: 'owner@example.com' };
    // Corrupt weights that match the manifest: only the container can detect them.
    const restore = await corruptWeights(cloud, true);
    try {
      await upload(cloud, 'crash', request);
      const run = await untilOver(cloud, 'crash');
      expect(run).toMatchObject({ status: 'FAILED', error: 'ModelMismatch' });
      const mail = await until(() => readMail(queue));
      for (const text of [run.cause ?? '', mail.Message]) {
        expect(text).toContain('unet');
        expect(text).toContain('What to do:');
      }
      expect(mail.Subject).toContain('crash failed (ModelMismatch)');
      expect(mail.Message).toContain(run.name);
      expect(Object.values(await jobsOf(cloud, run.name))).toEqual(['Failed']);
    } finally {
      await restore();
    }
  },
  4 * MINUTE,
);

test(
  'a job that does not find its GPU ends at once under its own name, and the command line shows what to do',
  async () => {
    const { faults, dataDir } = cloud.local;
    const { emulated } = names.environment;
    faults.setContainerEnv({ [emulated]: '' });
    try {
      const teach = { ...SMALL.advanced.teach, instanceType: 'ml.g5.2xlarge' };
      await upload(cloud, 'blind', { ...SMALL, advanced: { ...SMALL.advanced, teach } });
      const run = await untilOver(cloud, 'blind');
      expect(run).toMatchObject({ status: 'FAILED', error: 'GpuMissing' });
      expect(await jobsOf(cloud, run.name)).toEqual({ [`${JOB_PREFIX}${run.name}-teach-a1`]: 'Failed' });
      const shown = await call('status', run.name, '--data', dataDir);
      for (const text of ['GpuMissing', 'at least 1', 'What to do:', 'instanceType'])
        expect(shown.out + shown.err).toContain(text);
    } finally {
      faults.setContainerEnv({ [emulated]: 'yes' });
    }
  },
  4 * MINUTE,
);

test(
  'a model that was changed after its import is detected before any job exists',
  async () => {
    const restore = await corruptWeights(cloud, false);
    try {
      await upload(cloud, 'changed', SMALL);
      const run = await untilOver(cloud, 'changed');
      expect(run).toMatchObject({ status: 'FAILED', error: 'ModelChanged' });
      expect(run.cause).toContain('unet/diffusion_pytorch_model.safetensors has 10 bytes instead of');
      expect(await jobsOf(cloud, run.name)).toEqual({});
    } finally {
      await restore();
    }
  },
  MINUTE,
);

test(
  'a request over its budget is rejected before any job exists',
  async () => {
    await upload(cloud, 'expensive', { ...SMALL, maxUsd: 0.0001 });
    const run = await untilOver(cloud, 'expensive');
    expect(run).toMatchObject({ status: 'FAILED', error: 'OverBudget' });
    expect(await jobsOf(cloud, run.name)).toEqual({});
  },
  MINUTE,
);

const sqs = (): SQSClient =>
  new SQSClient({ ...cloud.config, endpoint: cloud.local.environment.AWS_ENDPOINT_URL ?? '' });

/** Creates a queue that receives the topic's messages. */
async function mailbox(): Promise<string> {
  const { QueueUrl = '' } = await sqs().send(
    new CreateQueueCommand({ QueueName: 'mailbox', Attributes: receivesFrom('sns.amazonaws.com') }),
  );
  const { Attributes } = await sqs().send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  const sns = new SNSClient({ ...cloud.config, endpoint: cloud.local.environment.AWS_ENDPOINT_URL ?? '' });
  const TopicArn = cloud.local.outputs.TopicArn;
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: Attributes?.QueueArn }));
  return QueueUrl;
}

async function readMail(QueueUrl: string): Promise<{ Subject: string; Message: string } | undefined> {
  const { Messages = [] } = await sqs().send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
  return Messages[0]?.Body === undefined ? undefined : JSON.parse(Messages[0].Body);
}

test(
  'two local clouds on one machine do not interfere; one without its stack, or a run without its request, has no job left',
  async () => {
    const other = await openCloud(20);
    try {
      const ports = [cloud, other].flatMap(({ local }) =>
        ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_SFN', 'AWS_ENDPOINT_URL_SAGEMAKER'].map(
          (name) => local.environment[name],
        ),
      );
      expect(new Set(ports).size).toBe(6);
      await other.s3.send(new PutObjectCommand({ Bucket: other.bucket, Key: 'mine', Body: 'only here' }));
      expect(await readText(other, 'mine')).toBe('only here');
      await expect(listKeys(cloud, 'mine')).resolves.toEqual([]);
      await stackDeletedDuringRun(other);
    } finally {
      await other.end();
    }
  },
  4 * MINUTE,
);
