import { stripVTControlCharacters } from 'node:util';
import { dollars, duration, makeOutput, type Output, printError, table } from '../../lib/cli/output.ts';
import type { RunView, StageView } from '../../lib/cli/run-state.ts';
import { plainly, redraw, runLine, stageLine } from '../../lib/cli/watch.ts';
import { ProxytuneError } from '../../lib/core/errors.ts';

const plain = makeOutput({});
const coloured: Output = { ...plain, terminal: true };
const stage = (facts: Partial<StageView>): StageView => ({
  stage: 'teach',
  state: 'running',
  attempt: 1,
  phase: 'training',
  step: 10,
  total: 40,
  rate: 2.5,
  unit: 'steps',
  etaSeconds: 12,
  loss: 0.12345,
  seconds: null,
  ...facts,
});

describe('the line of a stage', () => {
  test('at work has a bar, the step, the rate and what is left', () => {
    expect(stageLine(stage({}), plain)).toBe(
      'teach           [======                  ] 10/40, training, 2.5 steps/s, loss 0.123, 12 s left',
    );
  });

  test('drawing counts chunks', () => {
    const line = stageLine(
      stage({ stage: 'synthesize', unit: 'chunks', rate: 0.0314, loss: null, phase: 'drawing' }),
      plain,
    );
    expect(line).toContain('drawing, 0.031 chunks/s, 12 s left');
  });

  test('that is over says how long it took, and its attempt when it needed several', () => {
    expect(stageLine(stage({ state: 'done', seconds: 75, attempt: 2 }), plain)).toContain(
      '[========================] done, 1 min 15 s, attempt 2',
    );
    expect(stageLine(stage({ state: 'failed' }), plain)).toMatch(/ failed$/);
  });

  test('that waits says what it is for', () => {
    expect(stageLine(stage({ state: 'waiting' }), plain)).toContain('learns the subject from the photos');
  });

  test('never is wider than the terminal, colours not counted', () => {
    const line = stageLine(stage({}), { ...coloured }, 40);
    expect(stripVTControlCharacters(line)).toHaveLength(40);
  });
});

test('on a terminal every drawing has as many lines as the one that it overwrites', () => {
  const wrote: string[] = [];
  const show = redraw({ ...coloured, write: (text) => wrote.push(text) });
  const sampling = [stage({ stage: 'sample-teacher' }), stage({ stage: 'sample-student' })];
  const over = sampling.map((each) => ({ ...each, state: 'done' as const }));
  for (const stages of [sampling, over]) show({ stages } as unknown as RunView);
  const [first = '', second = ''] = wrote;
  expect(first.split('\n')).toHaveLength(4);
  expect(first.split('\n')[2]).toMatch(/sample-teacher: the teacher, tuned and untuned, draws/);
  expect(second.startsWith('\u001b[3A')).toBe(true);
  expect(stripVTControlCharacters(second).split('\n')[2]).toBe('');
});

test('on a terminal news stays above the bars, which are drawn again below', () => {
  const wrote: string[] = [];
  const show = redraw({ ...coloured, write: (text) => wrote.push(text) });
  const view = { stages: [stage({})] } as unknown as RunView;
  show(view);
  show(view, 'news');
  show(view);
  const [first = '', second = '', third = ''] = wrote;
  expect(second).toBe(`\u001b[2A\u001b[2Knews\n${first}`);
  expect(third).toBe(`\u001b[2A${first}`);
});

test('off a terminal every stage is printed with its reason once, before its progress', () => {
  const printed: string[] = [];
  const show = plainly({ say: (line) => printed.push(line) });
  const views = [
    [stage({ stage: 'plan', state: 'done' }), stage({ state: 'running' })],
    [stage({ stage: 'plan', state: 'done' }), stage({ state: 'done', seconds: 20 })],
  ];
  for (const [at, stages] of views.entries()) {
    show({ stages } as unknown as RunView, at === 0 ? 'the first image' : undefined);
  }
  expect(printed.map((line) => line.replace(/(from the photos|price the run),.*/, '$1'))).toEqual([
    'plan: read the request, choose settings, price the run',
    'plan: done',
    'teach: a diffusion teacher learns the subject from the photos',
    'the first image',
    'teach: done, 20 s',
  ]);
});

test('a run in one line says where it is and what it cost', () => {
  const view = { runId: 'dog-1', status: 'RUNNING', usd: 0.5, stages: [stage({})] } as unknown as RunView;
  expect(runLine(view)).toBe('dog-1  RUNNING  teach $0.50');
});

test.each([
  [0, '0 s'],
  [59.4, '59 s'],
  [60, '1 min 00 s'],
  [3599, '59 min 59 s'],
  [3600, '1 h 00 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('small prices keep their digits', () => {
  expect([dollars(0.0019), dollars(5.2053)]).toEqual(['$0.0019', '$5.21']);
});

test('a table pads every column but the last', () => {
  expect(
    table([
      ['a', 'bb', 'c'],
      ['aaa', 'b', 'ccc'],
    ]),
  ).toEqual(['a    bb  c', 'aaa  b   ccc']);
});

describe('an error', () => {
  function printed(error: unknown, options: { json?: boolean; debug?: boolean } = {}) {
    const wrote: Record<'out' | 'err', string> = { out: '', err: '' };
    const { stdout, stderr } = process;
    const original = { out: stdout.write, err: stderr.write };
    const into = (name: 'out' | 'err') => (text: string) => {
      wrote[name] += text;
      return true;
    };
    stdout.write = into('out') as typeof stdout.write;
    stderr.write = into('err') as typeof stderr.write;
    try {
      return { code: printError(error, options), ...wrote };
    } finally {
      stdout.write = original.out;
      stderr.write = original.err;
    }
  }
  const expensive = new ProxytuneError('OverBudget', {
    what: 'Too expensive',
    given: '5',
    allowed: '4',
    remedy: 'save',
  });

  test('is printed as what, given, allowed and remedy, with its exit code and without a stack', () => {
    expect(printed(expensive)).toEqual({
      code: 3,
      out: '',
      err: 'OverBudget: Too expensive\n  Given: 5\n  Allowed: 4\n  What to do: save\n',
    });
  });

  test('of the cloud, which comes as one text, is printed the same way', () => {
    const error = Object.assign(new Error(expensive.message), { name: 'OverBudget' });
    expect(printed(error).err).toBe(
      'OverBudget: Too expensive.\n  Given: 5.\n  Allowed: 4.\n  What to do: save.\n',
    );
  });

  test('is data under --json, and shows its stack under --debug only', () => {
    expect(JSON.parse(printed(expensive, { json: true }).out)).toEqual({
      error: 'OverBudget',
      message: expensive.message,
    });
    expect(printed(expensive, { debug: true }).err).toMatch(/\n\s+at /);
  });

  test('that is not ours ends with 1', () => {
    expect(printed(new TypeError('odd'))).toMatchObject({ code: 1, err: 'TypeError: odd\n' });
  });
});
