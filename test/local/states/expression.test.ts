import { evaluate } from '../../../lib/local/states/expression.ts';
import type { Json } from '../../../lib/local/states/json.ts';

const now = Date.UTC(2026, 10, 25, 12);
const run = (template: Json, variables: Record<string, Json> = {}, input: Json = {}): Promise<Json> =>
  evaluate(template, '/Output', { variables, states: { input }, now });

describe('evaluate', () => {
  it('replaces expressions at any depth and keeps the rest', async () => {
    const template = {
      a: '{% $states.input.x %}',
      b: ['{%$n + 1%}', 'plain', null, true, 1.5],
      c: { d: '{% {"e": $n} %}' },
      f: '{x}',
    };
    expect(await run(template, { n: 2 }, { x: 'y' })).toEqual({
      a: 'y',
      b: [3, 'plain', null, true, 1.5],
      c: { d: { e: 2 } },
      f: '{x}',
    });
  });

  it('returns plain arrays and objects, which share nothing with their source', async () => {
    const source = { list: [{ n: 1 }, { n: 2 }] };
    const output = (await run('{% $states.input.list %}', {}, source)) as { n: number }[];
    expect(output).toEqual(source.list);
    expect(output[0]).not.toBe(source.list[0]);
    expect(Object.keys((await run('{% $states.input.list.n %}', {}, source)) as object)).toEqual(['0', '1']);
  });

  it.each([
    ['an undefined result', '{% $states.input.absent %}', 'returned nothing (undefined)'],
    ['a type error', "{% 1 + 'a' %}", 'threw an error during evaluation'],
    ['a function', '{% function($x) { $x } %}', 'returned an unsupported result type'],
    ['a built-in function', '{% $sum %}', 'returned an unsupported result type'],
    ['a function inside', "{% {'f': function() { 1 }} %}", 'returned an unsupported result type'],
    ['a regular expression', '{% /a/ %}', 'returned an unsupported result type'],
    ['an explicit error', "{% $error('by hand') %}", 'by hand'],
    ['$eval', "{% $eval('1') %}", '$eval is not available'],
    ['endless recursion', '{% ($f := function($n) { 1 + $f($n + 1) }; $f(0)) %}', 'more than 500 deep'],
    ['an endless loop', '{% ($f := function($n) { $f($n + 1) }; $f(0)) %}', 'more than 5000 ms'],
    [
      'an endless search',
      `{% $match("${'a'.repeat(40)}!", /(a+)+$/) %}`,
      'The regular expression /(a+)+$/g took more than 5000 ms',
    ],
    [
      'an endless search in a function',
      `{% $replace("${'a'.repeat(40)}!", /(a+)+$/, 'x') %}`,
      'took more than 5000 ms',
    ],
    ['an array that blocks', '{% $string([1..9999999]) %}', 'an array of more than 1000000 items'],
    ['an unknown function', '{% $randomSeeded(1) %}', 'T1006: Attempted to invoke a non-function'],
  ])('fails on %s, naming the expression and the field', async (_, expression, message) => {
    const failure = run({ deep: [expression] });
    await expect(failure).rejects.toMatchObject({
      error: 'States.QueryEvaluationError',
      location: '/Output/deep/0',
    });
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow("'Output/deep/0'");
  });

  it.each([
    ["{% $pad('a', 3.5, '-') %}", 'Invalid array length'],
    ['{% {"__proto__": {"a": 1}}.a %}', 'returned nothing'],
  ])('evaluates %s as JSONata 2.0.6 does', async (expression, message) => {
    await expect(run(expression)).rejects.toThrow(message);
  });

  it.each<[string, Json]>([
    ['$match("ab12c3", /([a-z])([0-9]+)/).groups', ['b', '12', 'c', '3']],
    ['$replace("a-b-c", /-(.)/, "+$1")', 'a+b+c'],
    ['$split("a1b22c", /[0-9]+/)', ['a', 'b', 'c']],
    ['$contains("Abc", /aB/i)', true],
    ['$length($replace($join([1..5000].("ab")), /a/, "xy"))', 15_000],
    ['($r := /a+/; ["aab-a", "b", "aab-a"].$count($match($, $r)))', [2, 0, 2]],
  ])('searches with a regular expression: %s', async (expression, value) => {
    expect(await run(`{% ${expression} %}`)).toEqual(value);
  });

  it("uses the service's time", async () => {
    expect(await run('{% $millis() %}')).toBe(now);
    expect(await run('{% $now() %}')).toBe('2026-11-25T12:00:00.000Z');
    expect(await run("{% $now('[Y]-[M01]') %}")).toBe('2026-11');
    expect(await run("{% $now('[H01]:[m01]', '+0200') %}")).toBe('14:00');
  });

  it('does not keep variables between evaluations', async () => {
    expect(await run('{% $leak := 1 %}')).toBe(1);
    await expect(run('{% $leak %}')).rejects.toThrow('undefined');
  });
});

describe('functions that Step Functions adds', () => {
  it.each<[string, Json]>([
    ['$parse(\'{"a": [1, null]}\')', { a: [1, null] }],
    ["$hash('abc', 'MD5')", '900150983cd24fb0d6963f7d28e17f72'],
    ["$hash('abc', 'SHA-1')", 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ["$hash('abc', 'SHA-256')", 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['$partition([1,2,3,4,5], 2)', [[1, 2], [3, 4], [5]]],
    ['$range(0, 10, 5)', [0, 5, 10]],
    ['$range(0, 9, 5)', [0, 5]],
    ['$range(3, 1, -1)', [3, 2, 1]],
    ['$range(1, 0, 1)', []],
    // As recorded: one number is not a list.
    ['$range(1, 9, 9)', 1],
  ])('%s', async (expression, expected) => {
    expect(await run(`{% ${expression} %}`)).toEqual(expected);
  });

  it('$uuid returns a new version 4 UUID each time', async () => {
    const [a, b] = (await run('{% [$uuid(), $uuid()] %}')) as string[];
    expect(a).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(a).not.toBe(b);
  });

  it('$random is deterministic with a seed only', async () => {
    const [a, b, c, d, e] = (await run(
      '{% [$random(7), $random(7), $random(8), $random(), $random()] %}',
    )) as number[];
    expect(a).toBe(b);
    expect(a).not.toBe(c);
    expect(d).not.toBe(e);
    for (const value of [a, c, d]) expect(value).toBeGreaterThanOrEqual(0);
    for (const value of [a, c, d]) expect(value).toBeLessThan(1);
  });

  it.each([
    ["$hash('abc', 'CRC')"],
    ['$partition([1], 0)'],
    ['$range(0, 1, 0)'],
    ['$range(0, 5000, 1)'],
    ["$parse('{')"],
    ["$random('x')"],
  ])('%s is an error', async (expression) => {
    await expect(run(`{% ${expression} %}`)).rejects.toMatchObject({ error: 'States.QueryEvaluationError' });
  });

  it.each([
    ['$parse($states.input.no)'],
    ["$hash($states.input.no, 'MD5')"],
    ['$partition($states.input.no, 2)'],
  ])('%s of undefined is undefined, as in JSONata', async (expression) => {
    expect(await run(`{% $exists(${expression}) %}`)).toBe(false);
  });
});
