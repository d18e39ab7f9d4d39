/** The lambda's handler against a real S3 service: the emulator of the local cloud. */
import { createHash } from 'node:crypto';
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
import sharp from 'sharp';
import { handler } from '../../../lambdas/inspect-photos/handler.ts';
import { s3 } from '../../../lib/aws/clients.ts';
import { type Emulator, startEmulator } from '../../../lib/local/emulator/start.ts';
import { PYTHON } from '../../../lib/local/paths.ts';
import { scene } from '../../inspection/pictures.ts';

const Bucket = 'photos-test';
const event = {
  runId: 'run-1',
  bucket: Bucket,
  photosPrefix: 'subjects/rex/photos/',
  referencesPrefix: 'intermediates/run-1/references/',
  captions: { category: 'dog', tokenWord: 'ohwx', vocabulary: null },
};
const findingsKey = 'intermediates/run-1/references/findings.json';

let dataDir: string;
let emulator: Emulator;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'proxytune-inspect-'));
  emulator = await startEmulator({ dataDir, python: PYTHON });
  process.env.AWS_ENDPOINT_URL = emulator.endpoint;
  process.env.AWS_REGION = 'us-east-1';
  process.env.PHOTOS_WAIT_SECONDS = '0';
  process.env.AWS_ACCESS_KEY_ID = 'local';
  process.env.AWS_SECRET_ACCESS_KEY = 'local';
  await s3().send(new CreateBucketCommand({ Bucket }));
}, 90_000);

afterAll(async () => {
  s3().destroy();
  await emulator?.close();
  await rm(dataDir, { recursive: true, force: true });
});

beforeEach(async () => {
  for (const key of await keys('')) await s3().send(new DeleteObjectCommand({ Bucket, Key: key }));
  // Neither the folder's marker nor the neighbour whose name begins alike is a photo of this subject.
  await put('subjects/rex/photos/', '');
  await put('subjects/rex/photos-old/x.jpg', 'not an image');
  await put('subjects/rex/photos/.DS_Store', 'x');
  await put('subjects/rex/photos/subject.json', '{}');
});

async function put(Key: string, content: Buffer | string): Promise<void> {
  await s3().send(
    new PutObjectCommand({ Bucket, Key, Body: typeof content === 'string' ? Buffer.from(content) : content }),
  );
}

async function putPhotos(names: string[]): Promise<void> {
  for (const [seed, name] of names.entries()) {
    await put(
      `subjects/rex/photos/${name}`,
      await scene(seed + 1)
        .jpeg()
        .toBuffer(),
    );
  }
}

async function keys(Prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3().send(new ListObjectsV2Command({ Bucket, Prefix }));
  return Contents.map(({ Key = '' }) => Key);
}

async function get(Key: string): Promise<Buffer> {
  const { Body } = await s3().send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

test('good photos become references, twice the same, and leftovers of an earlier try are deleted', async () => {
  await putPhotos(['a.jpg', 'mon chien à la plage + été.jpg', 'z%20z.jpg']);
  await put('intermediates/run-1/references/reference-07.png', 'of an earlier try');
  const result = await handler(event);
  expect(result).toEqual({
    accepted: 3,
    warnings: 0,
    referencesPrefix: 'intermediates/run-1/references/',
    findingsKey,
  });
  const written = await keys(event.referencesPrefix);
  expect(written).toEqual([
    findingsKey,
    'intermediates/run-1/references/reference-00.png',
    'intermediates/run-1/references/reference-01.png',
    'intermediates/run-1/references/reference-02.png',
  ]);
  const findings = JSON.parse((await get(findingsKey)).toString());
  expect(findings).toMatchObject({ runId: 'run-1', refused: false, accepted: 3, warnings: 0, set: [] });
  const photo = findings.photos.find(
    ({ file }: { file: string }) => file === 'mon chien à la plage + été.jpg',
  );
  expect(photo).toMatchObject({ verdict: 'accept', reference: { name: 'reference-01.png', width: 640 } });
  const reference = await get('intermediates/run-1/references/reference-01.png');
  expect(photo.reference.sha256).toBe(sha256(reference));
  expect(photo.sha256).toBe(sha256(await get('subjects/rex/photos/mon chien à la plage + été.jpg')));
  expect((await sharp(reference).metadata()).format).toBe('png');

  const before = await Promise.all(written.map(get));
  const prefixes = {
    photosPrefix: 'subjects/rex/photos',
    referencesPrefix: 'intermediates/run-1/references',
  };
  expect(await handler({ ...event, ...prefixes })).toEqual(result);
  expect(await Promise.all((await keys(event.referencesPrefix)).map(get))).toEqual(before);
}, 60_000);

test('blockers end in PhotosRejected that names every one; no reference stays', async () => {
  await putPhotos(['a.jpg', 'b.jpg']);
  await put('subjects/rex/photos/c.jpg', '');
  await put('subjects/rex/photos/d.jpg', 'text');
  await put('intermediates/run-1/references/reference-00.png', 'of an earlier try');
  const error = await handler(event).catch((caught: unknown) => caught as Error);
  expect(error).toMatchObject({ name: 'PhotosRejected' });
  const { message } = error as Error;
  for (const part of [
    '3 blockers',
    'c.jpg is an empty file',
    'd.jpg is not an image',
    '2 of 4 photos',
    findingsKey,
  ]) {
    expect(message).toContain(part);
  }
  expect(await keys(event.referencesPrefix)).toEqual([findingsKey]);
  const findings = JSON.parse((await get(findingsKey)).toString());
  expect(findings.refused).toBe(true);
  expect(findings.photos.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
    'ignore',
    'accept',
    'accept',
    'reject',
    'reject',
    'ignore',
  ]);
  expect(findings.photos.every((photo: object) => !('reference' in photo))).toBe(true);
}, 60_000);

test('a caption becomes the text of its reference, with the token word in place', async () => {
  await putPhotos(['a.jpg', 'b.jpg', 'c.jpg']);
  await put('subjects/rex/photos/b.txt', 'a dog\r\non a red carpet\r\n');
  await put('intermediates/run-1/references/reference-00.txt', 'of an earlier try');
  expect(await handler(event)).toMatchObject({ accepted: 3, warnings: 0 });
  expect((await keys('intermediates/run-1/references/reference-01')).map((key) => key.slice(-16))).toEqual([
    'reference-01.png',
    'reference-01.txt',
  ]);
  expect(await keys('intermediates/run-1/references/reference-00.txt')).toEqual([]);
  expect((await get('intermediates/run-1/references/reference-01.txt')).toString()).toBe(
    'a ohwx dog on a red carpet\n',
  );
  const { photos, companions } = JSON.parse((await get(findingsKey)).toString());
  expect(companions).toEqual([{ file: 'b.txt', verdict: 'accept', findings: [] }]);
  const captions = photos.map(({ reference }: { reference?: { caption?: object } }) => reference?.caption);
  expect(captions.filter(Boolean)).toEqual([
    { name: 'reference-01.txt', file: 'b.txt', prompt: 'a ohwx dog on a red carpet' },
  ]);
  await put('subjects/rex/photos/b.txt', 'a cat');
  await expect(handler(event)).rejects.toMatchObject({
    name: 'PhotosRejected',
    message: expect.stringContaining('b.txt does not say where the subject is'),
  });
}, 60_000);

test('a message stays short enough for Step Functions, however many blockers there are', async () => {
  for (let i = 0; i < 45; i += 1) await put(`subjects/rex/photos/${i}-${'long'.repeat(50)}.jpg`, 'text');
  const error = (await handler(event).catch((caught: unknown) => caught)) as Error;
  expect(error.name).toBe('PhotosRejected');
  expect(error.message.length).toBeLessThan(9000);
  expect(error.message).toMatch(/and \d+ more/);
  expect(JSON.parse((await get(findingsKey)).toString()).photos).toHaveLength(47);
}, 60_000);

test('a missing bucket is not a finding', async () => {
  await expect(handler({ ...event, bucket: 'no-such-bucket' })).rejects.toMatchObject({
    name: 'NoSuchBucket',
  });
}, 60_000);
