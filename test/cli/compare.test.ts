/** `proxytune compare` on runs with known scores, and its page as a reader meets it in a headless Chromium. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { compare, compareCommand, comparisonLines, writeComparison } from '../../lib/cli/commands/compare.ts';
import type { ComparedRun } from '../../lib/cli/comparison/compared.ts';
import { makeOutput } from '../../lib/cli/output.ts';
import type { Metrics } from '../../lib/core/contract/metrics.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { launchBrowser, openPage } from '../browser.ts';
import { scene } from '../inspection/pictures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxytune-compare-'));
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Given {
  readonly category?: string;
  /** Mean DINO of teacher and student. */
  readonly dino: readonly [number, number];
  readonly scale?: 'full' | 'tiny';
  readonly encoder?: string;
}

/** A finished run of two prompts, with an image of each model for each. */
async function run(
  runId: string,
  { category = 'dog', dino, scale = 'full', encoder = 'a' }: Given,
): Promise<ComparedRun> {
  const subject = runId.slice(0, -9);
  const request = parseRequest(JSON.stringify({ category, consent: true, preset: 'draft' }));
  const plan = makePlan(request, { runId, subject, bucket: 'photos', scale, version: '0.1.0' });
  const score = (mean: number) => ({ mean, low: mean - 0.02, high: mean + 0.02 });
  const rows = (['teacher', 'student'] as const).map((name, at) => ({
    ...{ name, pictures: 2, clip_i: score(0.8), clip_t: score(0.3), dino: score(dino[at] ?? 0) },
    ...{ nearest_dino: score(0.8), copies: 0, attractor: { reference: 0, share: 1 }, diversity: null },
  }));
  const own = join(folder, 'runs', runId, 'report');
  const pictures = [];
  for (const row of ['teacher', 'student'] as const) {
    for (const [index, { prompt }] of plan.prompts.evaluation.slice(0, 2).entries()) {
      // Two seeds of each prompt: the first is the one to show.
      for (const seed of [index * 2, index * 2 + 1]) {
        const file = `pictures/${row}/${seed}.png`;
        mkdirSync(dirname(join(own, file)), { recursive: true });
        writeFileSync(join(own, file), await scene(seed, 64).png().toBuffer());
        const scores = {
          clip_i: 0.8,
          clip_t: 0.3,
          dino: 0.7,
          nearest: 0,
          nearest_dino: 0.8,
          diversity: null,
        };
        pictures.push({ row, index: seed, prompt, seed, file, ...scores });
      }
    }
  }
  const evaluator = { clip: 'clip', dino: 'dino', clip_sha256: encoder, dino_sha256: encoder, versions: {} };
  const metrics = { run: runId, subject, category, rows, pictures, evaluator } as unknown as Metrics;
  return { plan, metrics, folder: own };
}

const RUNS = ['rex-0a1b2c3d', 'rex-11111111', 'mimi-0a1b2c3d'] as const;
const threeRuns = () =>
  Promise.all([
    run(RUNS[0], { dino: [0.6, 0.7] }),
    run(RUNS[1], { dino: [0.8, 0.5] }),
    run(RUNS[2], { category: 'cat', dino: [0.5, 0.4] }),
  ]);

test('a subject counts once in the means over subjects, however many runs it has', async () => {
  const { means } = compare(await threeRuns(), '');
  expect(means.map(({ row, subjects, means: { dino } }) => [row, subjects, dino?.toFixed(3)])).toEqual([
    ['teacher', 2, '0.600'],
    ['student', 2, '0.500'],
  ]);
  expect(compare((await threeRuns()).slice(0, 2), '').means).toEqual([]);
});

test('prompts of different subjects meet, each with its first image', async () => {
  const { prompts } = compare(await threeRuns(), '');
  expect(prompts.map(({ prompt }) => prompt)).toEqual(['a S* in the jungle', 'a S* in the snow']);
  expect(prompts[1]?.images.map(({ runId, file }) => `${runId}/${file}`)).toEqual(
    RUNS.flatMap((runId) => ['teacher', 'student'].map((row) => `${runId}/pictures/${row}/2.png`)),
  );
});

test('the table prints each score with its interval', async () => {
  const lines = comparisonLines(compare(await threeRuns(), ''));
  expect(lines[0]).toMatch(/^run +method +DINO +CLIP-I +CLIP-T$/);
  expect(lines[2]).toMatch(/^rex-0a1b2c3d +student +proxy +0\.70 \(0\.68 to 0\.72\) +0\.80 /);
  expect(lines).toHaveLength(7);
});

test.each([
  [
    'tiny stand-ins',
    { scale: 'tiny' as const },
    'tiny stand-ins with random weights, which rex-11111111 used',
  ],
  ['another encoder', { encoder: 'b' }, 'measured by different encoders'],
])('scores are not compared with those of %s', async (_, other, words) => {
  const first = await run(RUNS[0], { dino: [0.6, 0.7] });
  const comparison = compare([first, await run(RUNS[1], { dino: [0.8, 0.5], ...other })], '');
  expect(comparisonLines(comparison)).toEqual([expect.stringContaining(words)]);
  const target = join(folder, 'unlike');
  await writeComparison(target, 'unlike', comparison, [first, await run(RUNS[1], { dino: [0.8, 0.5] })]);
  const page = readFileSync(join(target, 'index.html'), 'utf8');
  expect(page).toContain(words);
  expect(page).not.toContain('0.60');
});

test('the page shows every model and image, on a phone too, and its numbers are in two files', async () => {
  const runs = await threeRuns();
  const target = join(folder, 'page');
  await writeComparison(target, 'page', compare(runs, 'npx proxytune compare a b'), runs);
  const { page, errors } = await openPage(browser, join(target, 'index.html'), {
    width: 390,
    waitUntil: 'networkidle0',
  });
  expect(errors).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  await page.evaluate("for (const image of document.images) image.loading = 'eager'");
  await page.waitForFunction('[...document.images].every((image) => image.complete)');
  expect(await page.evaluate('[...document.images].map((image) => image.naturalWidth)')).toEqual(
    Array(12).fill(64),
  );
  // The best DINO is the teacher's of the second run; all share CLIP-I and CLIP-T.
  expect(await page.evaluate("document.querySelectorAll('#scores tr:nth-child(3) .best').length")).toBe(3);
  expect(await page.evaluate("document.querySelector('#scores .best').innerText")).toBe(
    '0.80 (0.78 to 0.82)',
  );
  await page.close();

  const { models } = JSON.parse(readFileSync(join(target, 'comparison.json'), 'utf8'));
  expect(models[1]).toMatchObject({
    runId: RUNS[0],
    row: 'student',
    images: 2,
    scores: { dino: { mean: 0.7 } },
  });
  const csv = readFileSync(join(target, 'comparison.csv'), 'utf8').trim().split('\r\n');
  expect(csv).toHaveLength(7);
  expect(new Set(csv.map((line) => line.split(',').length)).size).toBe(1);
}, 60_000);

test("a folder of the user's own is not overwritten, and one run is not a comparison", async () => {
  const own = join(folder, 'own');
  mkdirSync(own);
  writeFileSync(join(own, 'letter.txt'), 'hello');
  const options = { data: join(folder, 'data'), out: own };
  const refused = (names: string[]) => compareCommand(names, options, makeOutput({ json: true }));
  await expect(refused([RUNS[0], RUNS[0]])).rejects.toMatchObject({ name: 'UsageInvalid' });
  await expect(refused([RUNS[0], RUNS[1]])).rejects.toThrow('holds something else');
  expect(readdirSync(own)).toEqual(['letter.txt']);
  // Both before a local cloud is started.
  expect(existsSync(join(folder, 'data'))).toBe(false);
});
