import { parseRequest } from '../../lib/core/request/request.ts';

const minimal = { category: 'dog', consent: true };
const refused = (request: unknown): string => {
  try {
    parseRequest(typeof request === 'string' ? request : JSON.stringify(request));
  } catch (error) {
    expect((error as Error).name).toBe('RequestInvalid');
    return (error as Error).message;
  }
  throw new Error('it was not refused');
};

describe('a request', () => {
  test('needs category and consent only, and gets every default', () => {
    expect(parseRequest(JSON.stringify(minimal))).toEqual({
      category: 'dog',
      consent: true,
      teacher: 'sdxl',
      student: 'llamagen-xl',
      method: 'proxy',
      preset: 'standard',
      tokenWord: 'ohwx',
      proxyContexts: 0,
      again: false,
      curation: false,
      adaptiveProxies: false,
      masks: 'given',
      synthesis: 'transform',
      seed: 0,
      maxUsd: 25,
      advanced: {},
    });
  });

  test('may begin with a byte order mark, as some editors write it', () => {
    expect(parseRequest(`\uFEFF${JSON.stringify(minimal)}`).category).toBe('dog');
  });

  test.each([
    ['categry', 'category'],
    ['Teacher', 'teacher'],
    ['proxys', 'proxies'],
    ['token_word', 'tokenWord'],
  ])('with the unknown key %s is refused, and %s is named', (key, meant) => {
    expect(refused({ ...minimal, [key]: 1 })).toContain(`${key} is not known, did you mean ${meant}?`);
  });

  test('with an unknown nested key is refused with its whole path', () => {
    const message = refused({ ...minimal, advanced: { teach: { stepps: 3 } } });
    expect(message).toContain('advanced.teach.stepps is not known, did you mean steps?');
  });

  test('with a key that is like no other hears which there are, not a wild guess', () => {
    const message = refused({ ...minimal, foo: 1, advanced: { learn: { what: 1 } } });
    expect(message).toContain('foo is not known, known are category, subjectKind, teacher, ');
    expect(message).toContain('advanced.learn.what is not known, known are rank, learningRate, ');
    expect(message).not.toContain('did you mean');
  });

  test('hears of all its faults at once', () => {
    const message = refused({ category: 'Dog!', proxies: 3, teacher: 'dalle' });
    for (const field of ['category', 'proxies', 'teacher', 'consent']) expect(message).toContain(field);
  });

  test.each([
    [{ proxies: 5 }, 'proxies: 5: must be at least 8'],
    [{ proxies: 6000 }, 'proxies: 6000: must be at most 5000'],
    [{ proxyContexts: 1.5 }, 'proxyContexts: 1.5: must be at most 1'],
    [{ maxUsd: 0 }, 'maxUsd: 0: must be above 0'],
    [{ preset: 'quick' }, 'preset: "quick": must be "draft" or "standard" or "best"'],
    [{ proxies: 'many' }, 'proxies: "many": must be a whole number'],
    [{ maxUsd: null }, 'maxUsd: null: must be a number'],
    [{ curation: 'yes' }, 'curation: "yes": must be true or false'],
    [{ tokenWord: 5 }, 'tokenWord: 5: must be text'],
    [{ advanced: 3 }, 'advanced: 3: must be an object'],
    [{ notify: 'me' }, 'notify: "me": must be an e-mail address'],
    [{ advanced: { learn: { steps: 1.5 } } }, 'advanced.learn.steps: 1.5: must be a whole number'],
    [{ category: undefined }, 'category: missing: The subject in plain words'],
  ])('hears in plain words what a field takes: %j', (fields, words) => {
    expect(refused({ ...minimal, ...fields })).toContain(words);
  });

  test.each([
    ['consent withheld', { ...minimal, consent: false }],
    ['no consent', { category: 'dog' }],
    ['more proxies than the bound', { ...minimal, proxies: 5001 }],
    ['half a proxy', { ...minimal, proxies: 10.5 }],
    ['no money', { ...minimal, maxUsd: 0 }],
    ['an address that is none', { ...minimal, notify: 'me' }],
    ['a tiny model by its own name', { ...minimal, teacher: 'sdxl-tiny' }],
    ['a list', [minimal]],
    ['no object', 'null'],
    ['broken JSON', '{"category": "dog",'],
    ['nothing', ''],
  ])('is refused: %s', (_, request) => {
    expect(refused(request)).toContain('What to do:');
  });
});
