/** The report page: created by the container's code, opened in a headless Chromium. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import type { Browser } from 'puppeteer-core';
import { writeSingleFile } from '../../lib/cli/single-file.ts';
import { curation as curationSchema } from '../../lib/core/contract/curation.ts';
import { metrics as metricsSchema } from '../../lib/core/contract/metrics.ts';
import { modelOfRole } from '../../lib/core/plan/plan.ts';
import { evaluate, type HowToOpen, launchBrowser, openPage } from '../browser.ts';
import { createReport } from './create-report.ts';
import { PLAN_WITH_STAND_INS, PLAN as plan } from './plans.ts';

const SLOT = '<!-- proxytune:stages -->';

const folder = mkdtempSync(join(tmpdir(), 'proxytune-report-'));
const report = join(folder, 'run', 'model');
const standInReport = join(folder, 'stand-ins', 'model');
let browser: Browser;

const open = (file = join(report, 'index.html'), how: HowToOpen = {}) => openPage(browser, file, how);

beforeAll(async () => {
  createReport(plan, join(folder, 'run'));
  createReport(PLAN_WITH_STAND_INS, join(folder, 'stand-ins'));
  browser = await launchBrowser();
}, 600_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('the page opens without errors, and requests nothing outside its folder', async () => {
  const { page, requests, errors } = await open(undefined, { waitUntil: 'networkidle0' });
  expect(errors).toEqual([]);
  const outside = requests.filter(
    (url) => !url.startsWith(`${pathToFileURL(report).href}/`) && url !== 'data:,',
  );
  expect(outside).toEqual([]);
  await page.close();
}, 60_000);

test('every image loads and has an alternative text', async () => {
  const { page } = await open();
  const images = await evaluate<{ src: string; width: number; alt: string }[]>(
    page,
    '[...document.images].map((image) => ({ src: image.src, width: image.naturalWidth, alt: image.alt }))',
  );
  // The first screen, 3 prompts with 4 images, 4 validation images at 4 checkpoints, best and worst of two models, 4
  // photos, and 16 proxies, of which the dropped ones are in a separate strip.
  expect(images).toHaveLength(4 + 12 + 16 + 4 + 4 + 16);
  expect(images.filter(({ width, alt }) => width === 0 || alt === '')).toEqual([]);
  await page.close();
}, 60_000);

test('as one file it requests nothing at all, shows every image, and has the numbers as downloads', async () => {
  const file = await writeSingleFile(join(report, 'index.html'), 'rex-0a1b2c3d');
  const { page, requests, errors } = await open(file, { waitUntil: 'networkidle0' });
  expect(errors).toEqual([]);
  expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([pathToFileURL(file).href]);
  const widths = await evaluate<number[]>(page, '[...document.images].map((image) => image.naturalWidth)');
  expect(widths).toHaveLength(4 + 12 + 16 + 4 + 4 + 16);
  expect(widths.filter((width) => width === 0)).toEqual([]);
  const links = await evaluate<{ name: string; content: string }[]>(
    page,
    "[...document.querySelectorAll('a[download]')].map((link) => ({ name: link.download, content: link.href }))",
  );
  expect(links.map(({ name }) => name)).toEqual(['metrics.json', 'metrics.csv', 'curation.json']);
  const [numbers] = links.map(({ content }) => Buffer.from(content.split(',')[1] ?? '', 'base64').toString());
  expect(numbers).toBe(readFileSync(join(report, 'metrics.json'), 'utf8'));
  await page.close();
}, 60_000);

test('the page shows the results', async () => {
  const { page } = await open();
  const metrics = metricsSchema.parse(JSON.parse(readFileSync(join(report, 'metrics.json'), 'utf8')));
  const text = await evaluate<string>(page, 'document.body.innerText');
  for (const wanted of [
    metrics.verdict,
    metrics.evaluator.dino_sha256,
    plan.prompts.evaluation[0]?.prompt,
    modelOfRole(plan, 'teacher').title,
    'Teacher, untuned',
  ]) {
    expect(text).toContain(wanted);
  }
  expect(metrics.rows.map((row) => row.name)).toContain('student');
  await page.close();
}, 60_000);

test('the first section has the next commands for the run, one per line', async () => {
  const { page } = await open();
  const commands = await evaluate<string[]>(
    page,
    "[...document.querySelectorAll('main > section:first-child pre')].map((block) => block.innerText)",
  );
  expect(commands[0]?.split('\n')).toEqual([
    `npx proxytune generate ${plan.runId} "a photo of a {token} car at sunset" -n 4`,
    `npx proxytune generate ${plan.runId} "a photo of a {token} car at sunset" -n 4 --of teacher`,
  ]);
  expect(commands[1]).toMatch(
    /^aws s3 cp s3:\/\/photos\/runs\/rex-0a1b2c3d\/jobs\/.*tar xzf model\.tar\.gz$/,
  );
  await page.close();
}, 60_000);

test('the title of each curve is one line', async () => {
  const { page } = await open();
  const lines = await evaluate<number[]>(
    page,
    "[...document.querySelectorAll('.curves .curve figcaption')].map((title) => title.offsetHeight / parseFloat(getComputedStyle(title).lineHeight))",
  );
  expect(lines).toHaveLength(3);
  for (const count of lines) expect(count).toBeLessThan(1.5);
  await page.close();
}, 60_000);

test('the page shows dropped proxies with their reasons, and the gain of each round as a curve', async () => {
  const { page } = await open();
  const curation = curationSchema.parse(JSON.parse(readFileSync(join(report, 'curation.json'), 'utf8')));
  const dropped = curation.pictures.filter(({ kept }) => !kept);
  expect([curation.kept > 0, dropped.length > 0]).toEqual([true, true]);
  const captions = await evaluate<string[]>(
    page,
    "[...document.querySelectorAll('.dropped figcaption')].map((caption) => caption.innerText)",
  );
  expect(captions).toHaveLength(dropped.length);
  for (const [at, { reasons }] of dropped.entries())
    for (const { why } of reasons) expect(captions[at]).toContain(why);
  const rounds = curation.adaptive?.rounds.length ?? 0;
  expect(rounds).toBeGreaterThan(1);
  const count = (selector: string) =>
    evaluate<number>(page, `document.querySelectorAll('#curation ${selector}').length`);
  expect([await count('circle'), await count('.rounds tbody tr')]).toEqual([rounds, rounds]);
  await page.close();
}, 60_000);

test('exact measures are next to the encoders’, each with its direction', async () => {
  const { page } = await open();
  const metrics = metricsSchema.parse(JSON.parse(readFileSync(join(report, 'metrics.json'), 'utf8')));
  const cell = (name: string, at: number) =>
    `document.querySelector('.scores.exact tr.${name} td:nth-of-type(${at}) .value').innerText`;
  expect(metrics.rows).toHaveLength(6);
  for (const { name, exact } of metrics.rows) {
    expect(await evaluate<string>(page, cell(name, 1))).toBe(exact?.palette.mean.toFixed(2));
    expect(await evaluate<string>(page, cell(name, 3))).toBe(exact?.shape.mean.toFixed(2));
  }
  const heads = await evaluate<string[]>(
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

  const before = await open();
  expect(await evaluate<string>(before.page, hint)).toContain('Filled in when the run is published');
  await before.page.close();

  const { page } = await open(filled);
  const shown = await evaluate<string>(page, "document.querySelector('.took').innerText");
  expect(shown).toContain('teach\tml.m5.large\t1\t12 s\t$0.001');
  expect(await evaluate<string>(page, hint)).toBe('none');
  await page.close();
}, 60_000);

interface Complaint {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly target: readonly string[] }[];
}

describe.each([
  ['a run', report],
  ['a run with stand-ins', standInReport],
])('the page of %s', (_, of) => {
  test.each([360, 768, 1280])(
    'fits %i pixels, light and dark, and axe finds nothing serious',
    async (width) => {
      const { page, errors } = await open(join(of, 'index.html'), { width });
      await page.evaluate(axe.source);
      for (const scheme of ['light', 'dark']) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        expect(await evaluate<number>(page, 'document.documentElement.scrollWidth')).toBe(width);
        const background = 'getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)';
        const levels = await evaluate<number[]>(page, background);
        if (scheme === 'light') expect(Math.min(...levels)).toBeGreaterThan(230);
        else expect(Math.max(...levels)).toBeLessThan(40);
        const found = await evaluate<Complaint[]>(
          page,
          "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)",
        );
        const serious = found.filter(({ impact }) => ['serious', 'critical'].includes(impact));
        expect(serious.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)])).toEqual([]);
      }
      expect(errors).toEqual([]);
      await page.close();
    },
    60_000,
  );

  test('has the four images and the verdict on its first screen', async () => {
    const { page } = await open(join(of, 'index.html'));
    await page.setViewport({ width: 1280, height: 800 });
    const bottoms = await evaluate<number[]>(
      page,
      "[...document.querySelectorAll('.first img, .verdict')].map((one) => one.getBoundingClientRect().bottom)",
    );
    expect(bottoms).toHaveLength(5);
    expect(Math.max(...bottoms)).toBeLessThanOrEqual(800);
    await page.close();
  }, 60_000);
});

test('stand-ins are announced, and nothing of theirs is scored', async () => {
  const { page } = await open(join(standInReport, 'index.html'));
  const text = await evaluate<string>(page, "document.querySelector('main').innerText");
  expect(await evaluate<string>(page, "document.querySelector('.notice').innerText")).toContain(
    'not the method’s quality.',
  );
  expect(text).not.toMatch(/(DINO|CLIP-[IT]) [−0]/);
  // There is no advice for stand-ins; other advice has its own tests.
  expect(text).toContain('npm run demo');
  expect(await evaluate<number>(page, "document.querySelectorAll('.scores, .heat, .curve').length")).toBe(0);
  await page.close();
}, 60_000);

test('the contents stay in sight, and a click enlarges an image', async () => {
  const { page } = await open();
  await page.evaluate("document.getElementById('licences').scrollIntoView({ behavior: 'instant' })");
  expect(await evaluate<number>(page, "document.querySelector('nav').getBoundingClientRect().top")).toBe(0);
  await page.click('.first .student img');
  const shown = await evaluate<string>(page, "document.querySelector('dialog[open] p').innerText");
  expect(shown).toContain('Student: a ohwx car');
  await page.keyboard.press('Escape');
  expect(await evaluate<boolean>(page, "document.querySelector('dialog').open")).toBe(false);
  await page.close();
}, 60_000);

test.each([
  ['copied', 'async (text) => { globalThis.copied = text; }', 'Copied', 'copied'],
  [
    'selected where copying is not allowed',
    'async () => { throw new Error(); }',
    'Press Ctrl-C',
    'getSelection().toString()',
  ],
])(
  'a command is %s',
  async (_, writeText, label, result) => {
    const before = `Object.defineProperty(navigator, 'clipboard', { value: { writeText: ${writeText} } })`;
    const { page } = await open(undefined, { before });
    await page.click('#next .copy');
    await page.waitForFunction(`document.querySelector('#next .copy').textContent === '${label}'`);
    const command = await evaluate<string>(page, "document.querySelector('#next pre').innerText");
    expect((await evaluate<string>(page, result)).trim()).toBe(command);
    await page.close();
  },
  60_000,
);

test('without script everything is there', async () => {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(pathToFileURL(join(report, 'index.html')).href, { waitUntil: 'networkidle0' });
  const html = await page.content();
  expect(html).not.toContain('class="copy"');
  expect(html.match(/<pre>/g)?.length).toBeGreaterThan(2);
  expect(html).toContain('class="first"');
  await page.close();
}, 60_000);
