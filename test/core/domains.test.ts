import { DOMAINS, domainOf } from '../../lib/core/catalogue/domains.ts';
import {
  evaluationPrompts,
  instancePrompts,
  proxyPrompt,
  proxyPromptsInContext,
} from '../../lib/core/catalogue/prompts.ts';
import { chunksOf } from '../../lib/core/plan/chunks.ts';
import { makePlan } from '../../lib/core/plan/make-plan.ts';
import { type Plan, stageOf } from '../../lib/core/plan/plan.ts';
import { parseRequest } from '../../lib/core/request/request.ts';
import { eachModel } from '../../lib/core/words.ts';

const MINIATURE = {
  category: 'car',
  teacher: 'sdxl-miniature',
  student: 'llamagen-miniature',
  consent: true,
};
const PHOTOGRAPHS = { category: 'dog', consent: true };
const LOOK = {
  pattern: 'halves',
  body: [230, 40, 60],
  mark: [20, 200, 90],
  trim: [250, 220, 10],
  build: 0.25,
  stretch: 0.5,
};

const read = (fields: object) => parseRequest(JSON.stringify(fields));
const plan = (fields: object, scale: 'full' | 'tiny' = 'tiny'): Plan =>
  makePlan(read(fields), { runId: 'run-0a1b2c3d', subject: 'run', bucket: 'bucket', scale, version: '1' });
function refused(fields: object): string {
  try {
    plan(fields);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}

describe.each(DOMAINS)('the domain %s', (name) => {
  const { proxyContexts, evaluation, categories, vocabulary } = domainOf(name);

  const lists = Object.values(evaluation);

  test('says nothing twice', () => {
    for (const list of [
      proxyContexts,
      ...lists.map(({ prompts }) => prompts),
      categories ?? [],
      vocabulary ?? [],
    ])
      expect(new Set(list).size).toBe(list.length);
  });

  test('has prompts of words that its models know', () => {
    for (const category of categories ?? ['dog']) {
      const named = { domain: name, tokenWord: 'ohwx', category };
      const prompts = [
        ...instancePrompts(named),
        proxyPrompt(named),
        ...proxyPromptsInContext(named).map(({ prompt }) => prompt),
        ...lists.flatMap((list) => evaluationPrompts(named, list, 99).map(({ prompt }) => prompt)),
      ];
      expect(prompts.length).toBeGreaterThan(8);
      const words = prompts.flatMap((prompt) => prompt.split(' ')).filter((word) => word !== 'ohwx');
      expect(words.filter((word) => vocabulary?.includes(word) === false)).toEqual([]);
    }
  });

  test('evaluates no prompt that proxies are drawn from', () => {
    const named = { domain: name, tokenWord: 'ohwx', category: 'car' };
    const evaluated = lists.flatMap((list) => evaluationPrompts(named, list, 99));
    const drawn = proxyPromptsInContext(named);
    const both = evaluated.filter(({ prompt }) => drawn.some((proxy) => proxy.prompt === prompt));
    expect(both).toEqual([]);
  });
});

describe('a request of the miniature world', () => {
  test.each(['full', 'tiny'] as const)(
    'is planned with models that stand for themselves, at scale %s',
    (scale) => {
      const { models, world } = plan(MINIATURE, scale);
      expect(eachModel(models).map(({ id, standInFor }) => [id, standInFor])).toEqual(
        ['sdxl', 'llamagen', 'clip', 'dino', 'clipseg', 'siglip'].map((part) => [`${part}-miniature`, null]),
      );
      expect(world).toMatchObject({ name: 'miniature', note: expect.stringContaining('small drawn world') });
    },
  );

  test('is measured on the prompts of its domain', () => {
    expect(plan(MINIATURE).prompts.evaluation).toHaveLength(6);
    expect(plan(MINIATURE).prompts.evaluation[0]?.prompt).toBe('a photo of a ohwx car at sunset');
    expect(plan(MINIATURE).samples).toEqual({ picturesPerPrompt: 4, pictures: 24 });
  });

  test('and one of photographs never share a model', () => {
    expect(plan(PHOTOGRAPHS).models.clip.id).toBe('clip-tiny');
    expect(plan(PHOTOGRAPHS).world).toEqual({ name: 'photographs', title: 'photographs', note: null });
  });

  test.each([
    [
      { ...MINIATURE, student: 'llamagen-xl' },
      /student: "llamagen-xl": belongs to photographs.*take the student llamagen-miniature, or the teacher sdxl/,
    ],
    [
      { ...PHOTOGRAPHS, student: 'llamagen-miniature' },
      /take the student llamagen-xl or lumina-mgpt-7b or janus-pro-1b, or the teacher sdxl-miniature/,
    ],
    [
      { ...MINIATURE, category: 'cat' },
      /category: "cat": does not exist in the miniature world, which has only mug, car, .*did you mean car\?/,
    ],
    [{ ...MINIATURE, advanced: { sample: { prompts: 7 } } }, /advanced.sample.prompts: 7: must be at most 6/],
    [
      { ...MINIATURE, subjectKind: 'live' },
      /subjectKind: "live": has no meaning in the miniature world, which has the same evaluation prompts/,
    ],
    [{ ...MINIATURE, tokenWord: 'robot' }, /already means something/],
    [{ ...PHOTOGRAPHS, truth: LOOK }, /truth: .*a subject of photographs cannot be known/],
    [{ ...MINIATURE, truth: { ...LOOK, body: [0, 0, 256] } }, /truth\.body\.2: 256: must be at most 255/],
    [
      { ...MINIATURE, truth: { ...LOOK, body: [0, 0] } },
      /truth\.body: \[0,0\]: three whole numbers from 0 to 255/,
    ],
    [
      { ...MINIATURE, truth: { ...LOOK, patern: 'spot' } },
      /truth\.patern is not known, did you mean pattern\?/,
    ],
    [
      { ...MINIATURE, truth: { pattern: 'spot' } },
      /truth\.body: missing: three whole numbers .* truth\.build: missing/,
    ],
  ])('is refused for what it cannot be: %j', (fields, words) => {
    expect(refused(fields)).toMatch(words);
  });

  test('tells all that does not belong together at once', () => {
    const message = refused({ ...MINIATURE, student: 'llamagen-xl', category: 'dog' });
    expect(message).toMatch(/student: .*category: /);
  });

  test('keeps the truth about its subject in the plan', () => {
    expect(plan({ ...MINIATURE, truth: LOOK }).request.truth).toEqual(LOOK);
  });
});

describe('proxies in a context', () => {
  const prompts = (made: Plan): string[] =>
    chunksOf(made, 'synthesize').flatMap(({ pictures }) => pictures.map(({ prompt }) => prompt));
  const share = (proxyContexts: number, proxies = 150) => plan({ ...MINIATURE, proxies, proxyContexts });

  test('are none by default, as in the paper', () => {
    const made = plan(MINIATURE);
    expect(made).toMatchObject({ proxiesInContext: 0, prompts: { inContext: [] } });
    expect(new Set(prompts(made))).toEqual(new Set(['a ohwx car']));
  });

  test.each([
    [0.5, 150, 75],
    [1, 150, 150],
    [0.3, 50, 15],
    [0.01, 150, 2],
    [1 / 3, 1000, 333],
    [0.001, 8, 0],
  ])('at a share of %d of %d are %d, over the contexts in turn', (proxyContexts, proxies, count) => {
    const made = share(proxyContexts, proxies);
    expect(made.proxiesInContext).toBe(count);
    const named = prompts(made).filter((prompt) => prompt !== made.prompts.proxy);
    expect(named).toEqual(Array.from({ length: count }, (_, at) => made.prompts.inContext[at % 6]?.prompt));
  });

  test('lie evenly over the run: no stretch of it has more than one too many or too few', () => {
    for (const proxyContexts of [0.1, 0.5, 0.7]) {
      const made = share(proxyContexts);
      const named = prompts(made).map((prompt) => Number(prompt !== made.prompts.proxy));
      for (let from = 0; from < 150; from += 7)
        for (let to = from + 1; to <= 150; to += 11) {
          const found = named.slice(from, to).reduce((sum, one) => sum + one, 0);
          expect(Math.abs(found - (to - from) * proxyContexts)).toBeLessThanOrEqual(1);
        }
    }
  });

  test('of photographs name other contexts than the evaluation', () => {
    const made = plan({ ...PHOTOGRAPHS, proxies: 24, proxyContexts: 0.5 });
    expect(prompts(made)[1]).toBe('a ohwx dog on a kitchen counter');
    expect(made.prompts.inContext[0]).toEqual({
      prompt: 'a ohwx dog on a kitchen counter',
      plain: 'a dog on a kitchen counter',
    });
  });

  test('change neither seeds nor the caption that stands for all', () => {
    const seeds = (made: Plan) =>
      chunksOf(made, 'synthesize').flatMap(({ pictures }) =>
        pictures.map(({ index, seed }) => [index, seed]),
      );
    expect(seeds(share(0.5))).toEqual(seeds(share(0)));
    expect(stageOf(share(0.5), 'learn')).toEqual(stageOf(share(0), 'learn'));
  });
});
