/** Photos that change while they are inspected, come after their request, or lie in a folder with a mistaken name. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { handler } from '../../../lambdas/inspect-photos/handler.ts';
import { s3 } from '../../../lib/aws/clients.ts';
import { type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import { PYTHON } from '../../../lib/local/paths.ts';
import { scene } from '../../inspection/pictures.ts';

const Bucket = 'uploads-test';
const PHOTOS = 'subjects/rex/photos/';
const REFERENCES = 'intermediates/run-1/references/';
const event = {
  runId: 'run-1',
  bucket: Bucket,
  photosPrefix: PHOTOS,
  referencesPrefix: REFERENCES,
  captions: { category: 'dog', tokenWord: 'ohwx', vocabulary: null },
};

let dataDir: string;
let emulator: Emulator;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'proxytune-uploads-'));
  emulator = await startEmulator({ dataDir, python: PYTHON });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  });
  await s3().send(new CreateBucketCommand({ Bucket }));
  s3().middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        if (commandName === 'GetObjectCommand') await onRead?.();
        return result;
      },
    { step: 'initialize', name: 'onRead' },
  );
}, 90_000);

afterAll(async () => {
  s3().destroy();
  await emulator?.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** Called after each photo that is read. */
let onRead: (() => Promise<void>) | undefined;

beforeEach(async () => {
  process.env.PHOTOS_WAIT_SECONDS = '0';
  onRead = undefined;
  for (const key of await keys('')) await remove(key);
});

async function put(name: string, seed: number): Promise<void> {
  const Body = await scene(seed).jpeg().toBuffer();
  await s3().send(new PutObjectCommand({ Bucket, Key: name.includes('/') ? name : PHOTOS + name, Body }));
}

const remove = (Key: string) => s3().send(new DeleteObjectCommand({ Bucket, Key }));

async function putThree(folder = PHOTOS): Promise<void> {
  for (const seed of [1, 2, 3]) await put(`${folder}${seed}.jpg`, seed);
}

async function keys(Prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3().send(new ListObjectsV2Command({ Bucket, Prefix }));
  return Contents.map(({ Key = '' }) => Key);
}

interface Findings {
  readonly referencesDigest: string;
  readonly photos: readonly { readonly file: string; readonly sha256?: string }[];
}

async function findings(): Promise<Findings> {
  onRead = undefined;
  const { Body } = await s3().send(new GetObjectCommand({ Bucket, Key: `${REFERENCES}findings.json` }));
  return JSON.parse((await Body?.transformToString()) ?? '');
}

/** The findings of the folder as it is now, when nothing happens. */
async function undisturbed(): Promise<Findings> {
  onRead = undefined;
  await handler(event);
  return findings();
}

/** @returns whether `change` was made */
function once(change: () => Promise<unknown>): () => boolean {
  let done = false;
  onRead = async () => {
    if (done) return;
    done = true;
    await change();
  };
  return () => done;
}

test.each([
  ['added', () => put('4.jpg', 4), 4],
  ['replaced', () => put('1.jpg', 9), 3],
  ['removed', () => remove(`${PHOTOS}4.jpg`), 3],
] as const)('a photo that is %s during the inspection is seen', async (what, change, accepted) => {
  await putThree();
  if (what === 'removed') await put('4.jpg', 4);
  const happened = once(change);
  expect(await handler(event)).toMatchObject({ accepted });
  expect(happened()).toBe(true);
  const seen = await findings();
  const references = await keys(`${REFERENCES}reference`);
  expect(references).toHaveLength(accepted);
  expect(seen).toEqual(await undisturbed());
});

test('a photo that is removed before it is read ends no run', async () => {
  await putThree();
  await put('0.jpg', 5);
  await put('9.jpg', 6);
  once(() => remove(`${PHOTOS}9.jpg`));
  expect(await handler(event)).toMatchObject({ accepted: 4 });
});

test('photos that never stay as they are are refused, with those that changed', async () => {
  await putThree();
  let seed = 100;
  onRead = () => put('3.jpg', seed++);
  await expect(handler(event)).rejects.toMatchObject({
    name: 'PhotosRejected',
    message: expect.stringMatching(/changed each time.*Given: subjects\/rex\/photos\/3\.jpg\./),
  });
});

test('no second inspection begins that Lambda would cut off', async () => {
  await putThree();
  const happened = once(() => put('4.jpg', 4));
  await expect(handler(event, { getRemainingTimeInMillis: () => 1 })).rejects.toMatchObject({
    name: 'PhotosRejected',
  });
  expect(happened()).toBe(true);
});

test('photos that are uploaded after their request are awaited', async () => {
  process.env.PHOTOS_WAIT_SECONDS = '30';
  const later = new Promise<void>((resolve, reject) =>
    setTimeout(() => putThree().then(resolve, reject), 500),
  );
  const result = handler(event);
  await later;
  expect(await result).toMatchObject({ accepted: 3 });
});

test('photos that never come are refused once the time is over', async () => {
  process.env.PHOTOS_WAIT_SECONDS = '1';
  const begun = Date.now();
  await expect(handler(event)).rejects.toMatchObject({
    name: 'PhotosRejected',
    message: expect.stringContaining('0 of 0 photos'),
  });
  expect(Date.now() - begun).toBeGreaterThanOrEqual(1000);
});

test.each(['Photos', 'photo', 'PHOTOS'])('photos in %s/ are answered with the right name', async (name) => {
  await putThree(`subjects/rex/${name}/`);
  await expect(handler(event)).rejects.toMatchObject({
    name: 'PhotosRejected',
    message: expect.stringMatching(
      new RegExp(`Given: subjects/rex/${name}/\\. Allowed: subjects/rex/photos/\\.`),
    ),
  });
});

test('another folder is not taken for the one of the photos', async () => {
  await putThree('subjects/rex/originals/');
  await expect(handler(event)).rejects.toMatchObject({
    name: 'PhotosRejected',
    message: expect.stringContaining('0 of 0 photos'),
  });
});
