/** `proxytune plan`, and the folder of a subject as `run` takes it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planCommand, planLines } from '../../lib/cli/commands/plan.ts';
import { runCommand } from '../../lib/cli/commands/run.ts';
import { makeOutput, type Output } from '../../lib/cli/output.ts';
import { folderSources } from '../../lib/cli/photo-folder.ts';
import { openSubject, photosOf } from '../../lib/cli/subject.ts';
import type { Plan } from '../../lib/core/plan/plan.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'proxytune-subject-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function plan(path: string, fields: Record<string, unknown> = {}): Plan {
  const seen: unknown[] = [];
  const output: Output = {
    json: true,
    terminal: false,
    debug: false,
    say: () => {},
    data: (value) => seen.push(value),
    write: () => {},
  };
  expect(planCommand(path, { fields }, output)).toBe(0);
  return seen[0] as Plan;
}

test('a folder and its subject.json give the same plan', () => {
  const file = join(dir, 'subject.json');
  writeFileSync(file, JSON.stringify({ category: 'dog', consent: true, preset: 'draft' }));
  expect(plan(dir)).toEqual(plan(file));
  expect(plan(dir)).toMatchObject({ category: 'dog', preset: 'draft', proxies: 200 });
});

test('a folder of photos alone is planned from the flags, which win over the file', () => {
  expect(plan(dir, { category: 'dog', consent: true }).category).toBe('dog');
  writeFileSync(join(dir, 'subject.json'), JSON.stringify({ category: 'cat', consent: true, proxies: 50 }));
  expect(plan(dir, { category: 'dog' })).toMatchObject({ category: 'dog', proxies: 50 });
});

test('models that must be imported first are named, those of this repository are not', () => {
  const full = planLines(plan(dir, { category: 'dog', consent: true, student: 'janus-pro-1b' })).join('\n');
  expect(full).toContain('import-model MODEL --stack NAME: sdxl, janus-pro-1b, clip-vit-b32, dino-vits16');
  const drawn = { teacher: 'sdxl-miniature', student: 'llamagen-miniature', category: 'car', consent: true };
  expect(planLines(plan(dir, drawn)).join('\n')).not.toContain('import-model');
});

test('an address to notify must confirm before the first mail', () => {
  const asked = { category: 'dog', consent: true };
  const lines = (fields: object) => planLines(plan(dir, { ...asked, ...fields })).join('\n');
  expect(lines({ notify: 'owner@example.com' })).toMatch(/owner@example.com .*must confirm it once/);
  expect(lines({})).not.toContain('confirm');
});

test('without any request the remedy shows one; a wrong path and a broken file have different errors', () => {
  expect(() => plan(dir)).toThrow(`npx proxytune plan ${dir} --category dog`);
  expect(() => plan(join(dir, 'subject.json'))).toThrow('check the path');
  writeFileSync(join(dir, 'subject.json'), '{"category": ');
  for (const path of [dir, join(dir, 'subject.json')]) {
    expect(() => plan(path)).toThrow(expect.objectContaining({ name: 'RequestInvalid' }));
  }
});

test('a plan needs no consent, says that a run will, and writes none into the data', () => {
  const printed = (fields: Record<string, unknown>): string => {
    const lines: string[] = [];
    planCommand(dir, { fields }, { ...makeOutput({}), say: (line) => lines.push(line) });
    return lines.join('\n');
  };
  const asked = { category: 'dog', preset: 'draft' };
  for (const consent of [undefined, false]) {
    expect(printed({ ...asked, consent })).toContain('also needs your consent');
    expect(plan(dir, { ...asked, consent })).toMatchObject({ request: { consent: false } });
  }
  expect(printed({ ...asked, consent: true })).not.toContain('also needs your consent');
  const { request, ...without } = plan(dir, asked);
  expect({ ...without, request: { ...request, consent: true } }).toEqual(
    plan(dir, { ...asked, consent: true }),
  );
  expect(() => plan(dir, { ...asked, consent: 'maybe' })).toThrow(/consent: "maybe": must be true/);
});

test('a run that lacks consent asks for it in words, by field and by flag', async () => {
  await expect(runCommand(dir, { local: true, fields: { category: 'dog' } }, makeOutput({}))).rejects.toThrow(
    /consent: missing: must be true \(--consent\)/,
  );
});

test('what check judges is what run uploads, but for what check ignores', async () => {
  mkdirSync(join(dir, 'more'));
  mkdirSync(join(dir, '.hidden'));
  for (const file of ['a.jpg', 'a.txt', 'more/b.jpg', '.hidden/c.jpg', '.DS_Store', 'Thumbs.db'])
    writeFileSync(join(dir, file), 'x');
  writeFileSync(join(dir, 'subject.json'), JSON.stringify({ category: 'dog', consent: true }));
  const uploaded = (await photosOf(openSubject(dir))).map(({ file }) => file).sort();
  expect(uploaded).toEqual(['a.jpg', 'a.txt', 'more/b.jpg']);
  const judged = (await folderSources(dir)).map(({ file }) => file).sort();
  expect(judged).toEqual(['.DS_Store', 'Thumbs.db', 'a.jpg', 'a.txt', 'more/b.jpg', 'subject.json']);
});

test('the lines of a plan show both ways to generate the proxies, their prices, and the selected one', () => {
  for (const synthesis of ['transform', 'spot']) {
    const lines = planLines(plan(dir, { category: 'dog', consent: true, synthesis }));
    const [either = ''] = lines.filter((line) => line.startsWith('synthesize, both ways: '));
    expect(either).toMatch(
      /transform \$\d+\.\d\d in .* on ml\.g5\.2xlarge.*; spot \$\d+\.\d\d in .* on ml\.g5\.2xlarge.*65 % off/,
    );
    expect(either.match(/(\w+) \$[^;]*\(chosen\)/)?.[1]).toBe(synthesis);
    expect(lines.find((line) => line.startsWith('synthesize '))?.endsWith('on spot')).toBe(
      synthesis === 'spot',
    );
  }
});

test('the lines of a plan say what proxies there will be, and in which world', () => {
  const lines = planLines(plan(dir, { category: 'dog', consent: true, preset: 'draft' }));
  expect(lines[1]).toBe('200 proxies of "a ohwx dog", none in a context, as in the paper');
  const models = { teacher: 'sdxl-miniature', student: 'llamagen-miniature' };
  const small = plan(dir, { ...models, category: 'car', consent: true, proxies: 10, proxyContexts: 0.5 });
  expect(planLines(small).slice(1, 4)).toEqual([
    '10 proxies of "a ohwx car", 5 of them in one of 5 contexts, such as "a ohwx car at sunset"',
    'evaluated on 6 of the prompts of the miniature world, 4 images each',
    expect.stringContaining('small drawn world'),
  ]);
});
