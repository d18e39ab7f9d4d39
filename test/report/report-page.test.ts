/** The report as a reader meets it: evaluated by the container's code, opened in a headless Chromium. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import chromium from '@sparticuz/chromium';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { curation as curationSchema } from '../../lib/core/contract/curation.ts';
import { metrics as metricsSchema } from '../../lib/core/contract/metrics.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SLOT = '<!-- proxytune:stages -->';

const folder = mkdtempSync(join(tmpdir(), 'proxytune-report-'));
const report = join(folder, 'run', 'model');
const planned = makePlan(
  parseRequest(
    JSON.stringify({
      category: 'car',
      preset: 'draft',
      proxies: 16,
      consent: true,
      curation: true,
      adaptiveProxies: true,
      advanced: {
        sample: { prompts: 3, picturesPerPrompt: 1 },
        synthesize: { picturesPerChunk: 4 },
        // The encoders have random weights: limits that drop some pictures, not the right ones.
        curate: { fidelity: 0.97, duplicates: 0.3 },
      },
    }),
  ),
  { runId: 'rex-0a1b2c3d', subject: 'rex', bucket: 'photos', scale: 'tiny', version: '0.1.0' },
);
/** A drawn subject's truth makes the page longer: it has both tables of scores then. */
const truth = {
  pattern: 'halves',
  body: [10, 120, 240],
  mark: [240, 200, 20],
  trim: [220, 30, 60],
  build: 0.3,
  stretch: 0.7,
};
const plan = { ...planned, request: { ...planned.request, truth } };
let browser: Browser;

/** Every request of a page and whatever it complained about. */
interface Visit {
  readonly page: Page;
  readonly requests: string[];
  readonly complaints: string[];
}

async function visit(file: string, width = 1280): Promise<Visit> {
  const page = await browser.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} ${request.failure()?.errorText}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => complaints.push(`${message.type()} ${message.text()}`));
  await page.setViewport({ width, height: 900 });
  await page.goto(pathToFileURL(file).href, { waitUntil: 'networkidle0' });
  return { page, requests, complaints };
}

/** Evaluates an expression in the page; a string, as this file knows no DOM types. */
const ask = async <T>(page: Page, expression: string): Promise<T> => (await page.evaluate(expression)) as T;

beforeAll(async () => {
  const planFile = join(folder, 'plan.json');
  writeFileSync(planFile, JSON.stringify(plan));
  const made = spawnSync(
    join(ROOT, '.venv', 'bin', 'python'),
    [join(ROOT, 'containers', 'tests', 'evaluation', 'make_run.py'), planFile, join(folder, 'run')],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`the report was not made: ${made.error ?? made.stderr}`);
  browser = await puppeteer.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args, '--no-sandbox'],
    headless: 'shell',
  });
}, 600_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('the page opens without a complaint, and asks for nothing outside its folder', async () => {
  const { page, requests, complaints } = await visit(join(report, 'index.html'));
  expect(complaints).toEqual([]);
  const outside = requests.filter(
    (url) => !url.startsWith(`${pathToFileURL(report).href}/`) && url !== 'data:,',
  );
  expect(outside).toEqual([]);
  await page.close();
}, 60_000);

test('every picture loads and says what it shows', async () => {
  const { page } = await visit(join(report, 'index.html'));
  const images = await ask<{ src: string; width: number; alt: string }[]>(
    page,
    '[...document.images].map((image) => ({ src: image.src, width: image.naturalWidth, alt: image.alt }))',
  );
  // 4 photos, 4 samples at 4 checkpoints, 3 prompts of 4 pictures, best and worst of two models, and 16 proxies, of
  // which those that were dropped stand in a strip of their own.
  expect(images).toHaveLength(4 + 16 + 12 + 4 + 16);
  expect(images.filter(({ width, alt }) => width === 0 || alt === '')).toEqual([]);
  await page.close();
}, 60_000);

test('the page tells what happened, and that stand-ins took part', async () => {
  const { page } = await visit(join(report, 'index.html'));
  const metrics = metricsSchema.parse(JSON.parse(readFileSync(join(report, 'metrics.json'), 'utf8')));
  const text = await ask<string>(page, 'document.body.innerText');
  for (const wanted of [
    'These pictures show the road, not the method’s quality.',
    metrics.verdict,
    metrics.evaluator.dino_sha256,
    plan.prompts.evaluation[0]?.prompt,
    plan.models.teacher.title,
    'Teacher, untuned',
  ]) {
    expect(text).toContain(wanted);
  }
  expect(metrics.rows.map((row) => row.name)).toContain('student');
  await page.close();
}, 60_000);

test('the page ends with what to do next: the run’s own commands, one to a line of their own', async () => {
  const { page } = await visit(join(report, 'index.html'));
  const commands = await ask<string[]>(
    page,
    "[...document.querySelectorAll('main > section:last-child pre')].map((block) => block.innerText)",
  );
  expect(commands[0]?.split('\n')).toEqual([
    `npx proxytune generate ${plan.runId} "a photo of a {token} car at sunset" -n 4`,
    `npx proxytune generate ${plan.runId} "a photo of a {token} car at sunset" -n 4 --of teacher`,
  ]);
  expect(commands[1]).toMatch(
    /^aws s3 cp s3:\/\/photos\/runs\/rex-0a1b2c3d\/jobs\/.*tar xzf model\.tar\.gz$/,
  );
  // Stand-ins advise nothing; the rest is tested where the advice is made.
  expect(commands.at(-1)).toContain('npm run demo');
  await page.close();
}, 60_000);

test('the title of each curve is one line', async () => {
  const { page } = await visit(join(report, 'index.html'));
  const lines = await ask<number[]>(
    page,
    "[...document.querySelectorAll('.curves .curve figcaption')].map((title) => title.offsetHeight / parseFloat(getComputedStyle(title).lineHeight))",
  );
  expect(lines).toHaveLength(3);
  for (const count of lines) expect(count).toBeLessThan(1.5);
  await page.close();
}, 60_000);

test('what was dropped is shown with its reasons, and what each round added as a curve', async () => {
  const { page } = await visit(join(report, 'index.html'));
  const found = curationSchema.parse(JSON.parse(readFileSync(join(report, 'curation.json'), 'utf8')));
  const dropped = found.pictures.filter(({ kept }) => !kept);
  expect([found.kept > 0, dropped.length > 0]).toEqual([true, true]);
  const captions = await ask<string[]>(
    page,
    "[...document.querySelectorAll('.dropped figcaption')].map((caption) => caption.innerText)",
  );
  expect(captions).toHaveLength(dropped.length);
  for (const [at, { reasons }] of dropped.entries())
    for (const { why } of reasons) expect(captions[at]).toContain(why);
  const rounds = found.adaptive?.rounds.length ?? 0;
  expect(rounds).toBeGreaterThan(1);
  const shown = (what: string) => ask<number>(page, `document.querySelectorAll('#curation ${what}').length`);
  expect([await shown('circle'), await shown('.rounds tbody tr')]).toEqual([rounds, rounds]);
  await page.close();
}, 60_000);

test('exact measures stand beside the encoders, each with its direction', async () => {
  const { page } = await visit(join(report, 'index.html'));
  const metrics = metricsSchema.parse(JSON.parse(readFileSync(join(report, 'metrics.json'), 'utf8')));
  const cell = (name: string, at: number) =>
    `document.querySelector('.scores.exact tr.${name} td:nth-of-type(${at}) .value').innerText`;
  expect(metrics.rows).toHaveLength(6);
  for (const { name, exact } of metrics.rows) {
    expect(await ask<string>(page, cell(name, 1))).toBe(exact?.palette.mean.toFixed(2));
    expect(await ask<string>(page, cell(name, 3))).toBe(exact?.shape.mean.toFixed(2));
  }
  const heads = await ask<string[]>(
    page,
    "[...document.querySelectorAll('.scores.exact thead th')].map((head) => head.innerText)",
  );
  expect(heads.slice(1).map((head) => /(less|more) is better/.exec(head)?.[1])).toEqual([
    'less',
    'more',
    'more',
    'more',
    'more',
  ]);
  await page.close();
}, 60_000);

test('rows put into the slot appear as the table of stages', async () => {
  const html = readFileSync(join(report, 'index.html'), 'utf8');
  expect(html.split(SLOT)).toHaveLength(2);
  const row = '<tr><th scope="row">teach</th><td>ml.m5.large</td><td>1</td><td>12 s</td><td>$0.001</td></tr>';
  const filled = join(report, 'filled.html');
  writeFileSync(filled, html.replace(SLOT, row));
  const hint = "getComputedStyle(document.querySelector('.took'), '::after').content";

  const before = await visit(join(report, 'index.html'));
  expect(await ask<string>(before.page, hint)).toContain('Filled in when the run is published');
  await before.page.close();

  const { page } = await visit(filled);
  const shown = await ask<string>(page, "document.querySelector('.took').innerText");
  expect(shown).toContain('teach\tml.m5.large\t1\t12 s\t$0.001');
  expect(await ask<string>(page, hint)).toBe('none');
  await page.close();
}, 60_000);

test('the page fits a phone, and is dark where the reader wants it dark', async () => {
  const { page } = await visit(join(report, 'index.html'), 390);
  expect(await ask<number>(page, 'document.documentElement.scrollWidth')).toBe(390);
  const background = 'getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)';
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
  const light = await ask<number[]>(page, background);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  const dark = await ask<number[]>(page, background);
  expect(Math.min(...light)).toBeGreaterThan(230);
  expect(Math.max(...dark)).toBeLessThan(40);
  await page.close();
}, 60_000);
