/** Documents match the code: what they name exists, and what exists is in them. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { model, modelIds, recipeOf } from '../../lib/core/catalogue/models.ts';
import { PRESETS } from '../../lib/core/catalogue/recipes.ts';
import { errorNames, exitCode, retryableNames } from '../../lib/core/errors.ts';
import { importEstimate } from '../../lib/core/jobs/import-job.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { withFieldTables } from '../../lib/core/request/reference.ts';
import { parseRequest, requestSchema } from '../../lib/core/request/request.ts';
import { documents, read, root } from './documents.ts';

/** The cells of every table row whose first cell is one word of code, by that word. */
function rows(file: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of read(file).split('\n')) {
    const [name, ...cells] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const word = /^`([^`]+)`$/.exec(name ?? '')?.[1];
    if (word !== undefined) found.set(word, cells);
  }
  return found;
}

/** Code between fences, without the fences. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    (hit) => hit[1] ?? '',
  );
}

test('there are documents to check', () => {
  expect(documents).toEqual(
    expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/architecture.md']),
  );
});

test.each(documents)('every relative link of %s has a target', (file) => {
  const prose = read(file).replace(/^```.*?^```$/gms, '');
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((hit) => hit[1] ?? '');
  const broken = links
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => link.split('#')[0] ?? '')
    .filter((path) => path !== '' && !existsSync(join(root, dirname(file), path)));
  expect(broken).toEqual([]);
});

test('the README sets up with exactly two commands, and both are scripts', () => {
  const [, setUp = ''] = /^## Set up\n(.*?)^## /ms.exec(read('README.md')) ?? [];
  const commands = blocks(setUp, 'sh').flatMap((block) => block.trim().split('\n'));
  expect(commands).toEqual(['npm run demo', 'npm test']);
  expect(Object.keys(JSON.parse(read('package.json')).scripts)).toEqual(
    expect.arrayContaining(['demo', 'test']),
  );
});

test('every image of the README is in the repository', () => {
  const pictures = [...read('README.md').matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map((hit) => hit[1] ?? '');
  expect(pictures).toEqual(['docs/images/pipeline.svg']);
  expect(pictures.filter((file) => !read(file).includes('prefers-color-scheme: dark'))).toEqual([]);
});

test('every error has its row, with its exit code and whether it is retried', () => {
  const table = rows('docs/reference/errors.md');
  expect([...table.keys()].sort()).toEqual([...errorNames()].sort());
  const retryable = retryableNames();
  const wrong = errorNames().filter((name) => {
    const [exit, repeated = ''] = table.get(name)?.slice(-2) ?? [];
    return exit !== String(exitCode(name)) || repeated.startsWith('yes') !== retryable.includes(name);
  });
  expect(wrong).toEqual([]);
});

interface Property {
  readonly properties?: Record<string, Property>;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Every field of a schema as a dotted path; `advanced` and its stages stand for what is in them. */
function fields(schema: Property, path = ''): [string, Property][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const own = path === '' ? name : `${path}.${name}`;
    const inner = fields(property, own);
    if (inner.length === 0) return [[own, property] as [string, Property]];
    return path === '' ? [[own, property] as [string, Property], ...inner] : inner;
  });
}

const request = fields(z.toJSONSchema(requestSchema, { io: 'input' }) as Property).filter(
  ([path]) => !/^advanced\.[a-z]+$/.test(path),
);
const subject = rows('docs/reference/subject.md');

test('every field of the request has its row, and no other field has one', () => {
  expect([...subject.keys()].sort()).toEqual(request.map(([path]) => path).sort());
});

test('its tables are what the schema says (npm run schemas)', () => {
  const page = read('docs/reference/subject.md');
  expect(withFieldTables(page)).toBe(page);
});

test.each(request)('the row of %s has its default and bounds, and says what it means', (path, property) => {
  const cells = subject.get(path) ?? [];
  const { default: standard, enum: choices = [], minimum, maximum } = property;
  const wanted = [standard, ...choices, minimum, maximum].filter(
    (value) => typeof value === 'string' || typeof value === 'number',
  );
  // As a number or word of its own: the 0 of 30 does not count.
  const words = new Set(cells.join(' | ').split(/[^\w.-]+|\.(?!\d)/));
  expect(wanted.filter((value) => !words.has(String(value)))).toEqual([]);
  expect((cells.at(-1) ?? '').length).toBeGreaterThan(10);
});

test.each([
  ['draft', 1],
  ['standard', 2],
] as const)('the README prices %s as the plan does', (preset, column) => {
  const plan = makePlan(parseRequest(JSON.stringify({ category: 'dog', consent: true, preset })), {
    runId: 'planned-00000000',
    subject: 'dog',
    bucket: 'planned',
    scale: 'full',
    version: '0',
  });
  const [section = ''] = /^## What a run costs$.*?^## /ms.exec(read('README.md')) ?? [];
  const table = new Map(
    section
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('*', '')))
      .map(([, name = '', ...cells]) => [name, cells]),
  );
  for (const stage of plan.stages) {
    const cells = table.get(stage.stage) ?? [];
    expect([stage.stage, cells[0], cells[column]]).toEqual([
      stage.stage,
      stage.instanceType,
      `${Math.round(stage.minutes)} min, $${stage.usd.toFixed(2)}`,
    ]);
  }
  const { minutes, usd, pricesAsOf } = plan.estimate;
  const hours = Math.floor(minutes / 60);
  const sum = `${hours} h ${String(Math.floor(minutes % 60)).padStart(2, '0')} min, $${usd.toFixed(2)}`;
  expect(table.get('all')?.[column]).toBe(sum);
  expect(section).toContain(`list prices of ${pricesAsOf}`);
});

test('every command of proxytune in a document is a command, with options it knows', () => {
  const help = (...args: string[]): string =>
    execFileSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', 'bin/proxytune.ts', ...args, '--help'],
      {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, NODE_OPTIONS: '' },
      },
    );
  const known = new Set([...help().matchAll(/^ {2}([a-z-]+) /gm)].map((hit) => hit[1] ?? ''));
  const calls = documents.flatMap((file) =>
    [...read(file).matchAll(/npx proxytune ([^`\n]+)/g)].map((hit) => ({
      file,
      words: (hit[1] ?? '').split(/\s+/),
    })),
  );
  expect(calls.length).toBeGreaterThan(10);
  const helps = new Map<string, string>();
  const wrong = calls.filter(({ words: [command = '', ...args] }) => {
    if (command === '--help') return false;
    if (!known.has(command)) return true;
    if (!helps.has(command)) helps.set(command, help(command));
    const options = args.filter((word) => word.startsWith('--'));
    return options.some((option) => !new RegExp(`${option}\\b`).test(helps.get(command) ?? ''));
  });
  expect(wrong).toEqual([]);
  // Each command's help is a process of its own.
}, 120_000);

test('the table of models matches the catalogue: commit, size, time, price, gate, licence', () => {
  const table = rows('docs/models.md');
  const imported = modelIds().filter((id) => model(id).standInFor === null && model(id).shipped === null);
  expect([...table.keys()].sort()).toEqual([...imported].sort());
  const words = { yes: 'yes', no: 'no', mixed: 'on conditions' };
  for (const id of imported) {
    const { hub, licence } = model(id);
    const [commit, size, effort, gated, commercial = ''] = table.get(id) ?? [];
    expect([id, commercial.split(/[,:;]/)[0]]).toEqual([id, words[licence.commercial]]);
    if (hub === null) {
      expect([id, commit]).toEqual([id, 'by `--from`']);
      continue;
    }
    const { minutes, usd } = importEstimate(model(id));
    expect([id, commit, size, effort, gated]).toEqual([
      id,
      hub.revision === null ? 'main branch' : 'pinned',
      `${hub.gib} GiB`,
      `${Math.round(minutes)} min, $${usd.toFixed(2)}`,
      hub.gated ? 'yes' : 'no',
    ]);
  }
});

test.each([
  ['SDXL', 'sdxl'],
  ['SD3 Medium', 'sd3-medium'],
  ['SD3.5 Large', 'sd3.5-large'],
  ['FLUX.1', 'flux-dev'],
])('the table of sizes has those of the recipes of %s', (name, id) => {
  const sizes = PRESETS.map((preset) => recipeOf(model(id), preset).size);
  const enough = Math.min(...sizes) >= recipeOf(model('lumina-mgpt-7b'), 'standard').size;
  const cells = [name, ...sizes.map((size) => `${size} px`), enough ? 'the same' : 'at least 768 px'];
  expect(read('docs/models.md')).toContain(`\n| ${cells.join(' | ')} |\n`);
});

test('every npm script in a document is a script', () => {
  const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
  const called = documents.flatMap((file) =>
    [...read(file).matchAll(/npm run ([a-z-]+)/g)].map((hit) => hit[1] ?? ''),
  );
  expect(called.filter((name) => !scripts.includes(name))).toEqual([]);
});
