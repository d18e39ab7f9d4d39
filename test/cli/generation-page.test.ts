/** The page of a prompt of one's own as a reader meets it, opened in a headless Chromium. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { fileOf, writePictures } from '../../lib/cli/generation/image-folder.ts';
import { picturePage } from '../../lib/cli/generation/page.ts';
import type { Picture } from '../../lib/cli/generation/shard.ts';
import { planGeneration } from '../../lib/core/jobs/generation.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { modelOfRole } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { launchBrowser, openPage } from '../browser.ts';
import { scene } from '../inspection/pictures.ts';

const plan = makePlan(parseRequest(JSON.stringify({ category: 'dog', consent: true, seed: 5 })), {
  runId: 'rex-0a1b2c3d',
  subject: 'rex',
  bucket: 'photos',
  scale: 'tiny',
  version: '0.1.0',
});
const PROMPT = `a photo of a {token} dog, "it's" <b>$HOME</b>`;
const generation = planGeneration(
  plan,
  { prompt: PROMPT, count: 3, of: 'teacher', seed: 40, maxUsd: undefined },
  { job: 'proxytune-rex-0a1b2c3d-teach-a1', uri: 's3://bucket/model.tar.gz' },
);

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'proxytune-pictures-'));
  const asked = generation.chunks.flatMap(({ pictures }) => pictures);
  const pictures = await Promise.all(
    asked.map(async (wanted): Promise<Picture> => {
      const png = await scene(wanted.seed, generation.how.size).png().toBuffer();
      const sha256 = createHash('sha256').update(png).digest('hex');
      const { size } = generation.how;
      const where = { variant: 'tuned', stage: 'sample-teacher', size, model: 'sdxl-tiny' } as const;
      return { png, record: { ...wanted, ...where, sha256 } };
    }),
  );
  expect(pictures.map(fileOf)).toEqual(['seed-40.png', 'seed-41.png', 'seed-42.png']);
  await writePictures(folder, { id: generation.id }, pictures, picturePage(plan, generation, pictures, ''));
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('it shows every image and its settings, without a browser error, on a phone too', async () => {
  const { page, errors } = await openPage(browser, join(folder, 'index.html'), {
    width: 390,
    waitUntil: 'networkidle0',
  });
  expect(errors).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  const widths = await page.evaluate('[...document.images].map((image) => image.naturalWidth)');
  expect(widths).toEqual(Array(3).fill(generation.how.size));

  const text = String(await page.evaluate('document.body.innerText'));
  const prompt = PROMPT.replace('{token}', 'ohwx');
  for (const wanted of [
    prompt,
    modelOfRole(plan, 'teacher').title,
    'rex-0a1b2c3d',
    '40 to 42',
    'proxytune-rex-0a1b2c3d-teach-a1',
    'sdxl-tiny, tiny and with random weights, stood in for sdxl',
    'npx proxytune report rex-0a1b2c3d',
  ])
    expect(text).toContain(wanted);
  expect(await page.evaluate("document.querySelector('h1').innerText")).toBe(prompt);

  // A shell takes the command as it was meant, whatever the prompt holds.
  const command = text.split('\n').find((line) => line.startsWith('npx proxytune generate')) ?? '';
  const words = spawnSync('sh', ['-c', command.replace(/^npx proxytune generate/, "printf '%s\\n'")]);
  expect(words.stdout.toString().split('\n')).toEqual([
    'rex-0a1b2c3d',
    PROMPT,
    '-n',
    '3',
    '--seed',
    '40',
    '--of',
    'teacher',
    '',
  ]);
  await page.close();
}, 60_000);

test('a command for another cloud names it', () => {
  expect(picturePage(plan, generation, [], ' --stack Mine')).toContain(
    'npx proxytune report rex-0a1b2c3d --stack Mine',
  );
});
