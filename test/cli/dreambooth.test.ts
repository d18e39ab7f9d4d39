/** Runs and plans of a copy of DreamBooth's dataset, whose index has the form of the published one. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDreamBooth, runEach } from '../../lib/cli/commands/run-dreambooth.ts';
import { chooseDreamBooth, readDreamBooth } from '../../lib/cli/dreambooth.ts';
import { main } from '../../lib/cli/main.ts';
import { makeOutput } from '../../lib/cli/output.ts';
import { domainOf } from '../../lib/core/catalogue/domains.ts';
import { evaluationList } from '../../lib/core/catalogue/evaluation.ts';
import { type ErrorName, ProxytuneError } from '../../lib/core/errors.ts';
import { seen } from './seen.ts';

/** The published classes: 30 subjects, 9 of them live. */
const CLASSES =
  `backpack,backpack backpack_dog,backpack bear_plushie,stuffed_animal berry_bowl,bowl can,can candle,candle
cat,cat cat2,cat clock,clock colorful_sneaker,sneaker dog,dog dog2,dog dog3,dog dog5,dog dog6,dog dog7,dog dog8,dog
duck_toy,toy fancy_boot,boot grey_sloth_plushie,stuffed_animal monster_toy,toy pink_sunglasses,glasses poop_emoji,toy
rc_car,toy red_cartoon,cartoon robot_toy,toy shiny_sneaker,sneaker teapot,teapot vase,vase wolf_plushie,stuffed_animal`
    .split(/\s+/)
    .map((row) => row.replace('_animal', ' animal'));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dreambooth-'));
  mkdirSync(join(dir, 'dataset/dog6'), { recursive: true });
  writeFileSync(join(dir, 'dataset/prompts_and_classes.txt'), index());
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function index(): string {
  const lists = Object.entries({ Object: 'object', 'Live Subject': 'live' }).map(([title, kind]) => {
    const prompts = domainOf('photographs').evaluation[kind]?.prompts ?? [];
    const lines = prompts.map(
      (prompt) => `'${prompt.replace('{s}', '{0} {1}')}'.format(unique_token, class_token)`,
    );
    return `${title} Prompts\n\nprompt_list = [\n${lines.join(',\n')}\n]\n`;
  });
  return `Classes\n\nsubject_name,class\n${CLASSES.join('\n')}\n\nPrompts\n\n${lists.join('\n')}`;
}

test('all 30 subjects have their class, from the repository or its folder dataset', () => {
  const subjects = readDreamBooth(dir);
  expect(subjects).toEqual(readDreamBooth(join(dir, 'dataset')));
  expect(subjects).toHaveLength(30);
  expect(subjects[2]).toEqual({
    name: 'bear_plushie',
    folder: join(dir, 'dataset/bear_plushie'),
    category: 'stuffed animal',
  });
});

test('the classes choose the prompts of live subjects for the 9 cats and dogs, as in the dataset', () => {
  const live = readDreamBooth(dir).filter(
    ({ category }) => evaluationList('photographs', category).name === 'live',
  );
  expect(live.map(({ name }) => name)).toEqual('cat cat2 dog dog2 dog3 dog5 dog6 dog7 dog8'.split(' '));
});

test('a plan takes class and prompts from the dataset', async () => {
  const { code, printed } = await seen(() =>
    main(['plan', '--dreambooth', dir, '--subject', 'dog6', '--json']),
  );
  expect(code).toBe(0);
  const plan = JSON.parse(printed);
  expect(plan).toMatchObject({ subject: 'dog6', category: 'dog', samples: { pictures: 100 } });
  expect(plan.prompts.evaluation).toHaveLength(25);
  expect(plan.prompts.evaluation[13].prompt).toBe('a ohwx dog wearing a black top hat and a monocle');
});

test('a missing or misspelt subject is answered with the names, and the one that was meant', () => {
  expect(() => chooseDreamBooth(dir, undefined)).toThrow(/Allowed: backpack, .*wolf_plushie/);
  expect(() => chooseDreamBooth(dir, 'dog_6')).toThrow('did you mean --subject dog6?');
});

test('a folder without the index, and a copy with other prompts, cannot be used', () => {
  const unusable = (text: string) => expect.objectContaining({ name: 'DatasetUnusable', message: text });
  expect(() => readDreamBooth(tmpdir())).toThrow(unusable(expect.stringContaining('git clone')));
  const file = join(dir, 'dataset/prompts_and_classes.txt');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('{0} {1} in the snow', '{0} {1} in the rain'));
  expect(() => readDreamBooth(dir)).toThrow(
    unusable(expect.stringContaining('object prompt 2 is "a {s} in the rain"')),
  );
  writeFileSync(file, text.replace(/subject_name,class.*?\n\n/s, ''));
  expect(() => readDreamBooth(dir)).toThrow(unusable(expect.stringContaining('lists no subject')));
});

test.each([
  ['a folder', 'photos', {}],
  ['--resume', undefined, { resume: 'dog6-0a1b2c3d' }],
])('%s beside --dreambooth is refused', async (_, folder, more) => {
  const asked = { local: true, dreambooth: dir, subject: 'dog6', fields: {}, ...more };
  await expect(runDreamBooth(folder, asked, makeOutput({}))).rejects.toMatchObject({ name: 'UsageInvalid' });
});

test('a list goes on: what has its run already is passed over, what fails is named, a refusal ends it', async () => {
  const errors: Record<string, ErrorName> = { done: 'RequestRepeated', broken: 'TrainingDiverged' };
  const runs = async (...names: string[]) => {
    const [said, tried]: [string[], string[]] = [[], []];
    const run = async ({ name }: { name: string }) => {
      tried.push(name);
      const error = errors[name];
      if (error !== undefined) throw new ProxytuneError(error, { what: name, remedy: '' });
      return 0;
    };
    const code = await runEach(
      names.map((name) => ({ name })),
      run,
      { say: (line = '') => said.push(line) },
    );
    return { code, tried, last: said.at(-1) };
  };
  expect(await runs('done', 'new')).toMatchObject({ code: 0, tried: ['done', 'new'] });
  expect(await runs('broken', 'new')).toMatchObject({
    code: 1,
    tried: ['broken', 'new'],
    last: 'no result for broken',
  });
  errors.refused = 'RequestInvalid';
  await expect(runs('refused', 'new')).rejects.toMatchObject({ name: 'RequestInvalid' });
});

test('a request that is refused ends all subjects at once', async () => {
  const asked = { local: true, dreambooth: dir, subject: 'all', fields: { consent: true, proxies: 3 } };
  const lines: string[] = [];
  const output = { ...makeOutput({}), say: (line: string) => lines.push(line) };
  mkdirSync(join(dir, 'dataset/backpack'));
  await expect(runDreamBooth(undefined, asked, output)).rejects.toMatchObject({ name: 'RequestInvalid' });
  expect(lines).toEqual(['subject 1 of 30: backpack']);
});
